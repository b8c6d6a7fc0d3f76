"""A packed model for tables, made by hand: a linear model of the encoded columns."""

from pathlib import Path

import numpy as np
import pytest

from stages.tasks.columns.column import LEFT_OUT, TARGET, Column, Feature
from stages.tasks.columns.decision import Decision
from stages.tasks.columns.schema import Schema
from tests.stages.tasks import packages

SCHEMA = Schema(
    (
        Column("id", "number", LEFT_OUT, why="it identifies rows"),
        Column(
            "speed",
            "number",
            features=(Feature("speed", edges=(0.0, 5.0, 10.0), median=5.0, has_missing=True),),
        ),
        Column(
            "colour",
            "category",
            rare=("pink",),
            features=(Feature("colour", categories=("blue", "red"), has_other=True),),
        ),
        Column("state", "category", TARGET),
    ),
    id="id",
)
LABELS = ["slow", "fast"]
CLASSIFY = Decision("state", "classify")
LEVELS = Decision("state", "regress", "levels", (1.0, 2.5))


def write(folder: Path, decision: Decision = CLASSIFY, schema: Schema = SCHEMA) -> Path:
    """Write a package whose second logit grows with the speed, and is 0 at the median."""
    schema.write(folder / "data")
    labels = LABELS if decision.task == "classify" else []
    return packages.write(
        folder, "table", decision.as_constants(), labels, model=_linear(schema.size)
    )


def _linear(size: int) -> bytes:
    tf = pytest.importorskip("tensorflow")
    weights = np.zeros((size, 2), np.float32)
    weights[:2, 1] = 8.0 / 255

    @tf.function(input_signature=[tf.TensorSpec((1, size), tf.float32)])
    def call(x):  # type: ignore[no-untyped-def]
        return tf.matmul(x, weights) - tf.constant([[0.0, 8.0]])

    module = tf.Module()
    module.call = call
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], module
    )
    return bytes(converter.convert())
