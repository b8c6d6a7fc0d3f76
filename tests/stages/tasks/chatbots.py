"""A packed chatbot, made by hand: a linear model that compares a sentence with the mean of each intent."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.tasks.text import decision, nearest
from stages.tasks.text.features import Features
from stages.tasks.text.rules import Context, Rules
from tests.stages.tasks import packages

DECISION = {"threshold": 0.5, "temperature": 1.0, "nothing": 3.0}
SENTENCES = {
    "book": ["book a table for tomorrow", "reserve a table please", "θέλω ένα τραπέζι"],
    "confirm": ["yes that is right", "yes please", "是的"],
    "greet": ["hello there", "good morning", "👋 ciao"],
}
RULES = Rules(
    responses={
        "book": ["A table for {day}?", "A table?"],
        "confirm": ["Booked for {day}."],
        "greet": ["Hello!", "Welcome!"],
    },
    contexts={"book": Context(sets=["booking"]), "confirm": Context(requires=["booking"])},
    lookups={"day": {"tomorrow": ["domani", "明天"], "today": ["oggi"]}},
    patterns={"order": ["[A-Z]{2}[0-9]{4}"]},
)


def write(
    folder: Path,
    sentences: Mapping[str, Sequence[str]] = SENTENCES,
    rules: Rules = RULES,
    keep: bool = True,
) -> Path:
    """Write a package that knows these sentences by intent."""
    labels = sorted(sentences)
    texts = [text for one in labels for text in sentences[one]]
    features = Features.fit(texts, 512)
    (folder / "data").mkdir(parents=True)
    features.write(folder / "data")
    rules.write(folder / "data")
    if keep:
        examples = [{"text": text, "intent": one} for one in labels for text in sentences[one]]
        nearest.write(folder / "data", examples)
    about = {"decision": DECISION}
    return packages.write(folder, "intents", about, labels, model=_linear(features, sentences))


def _linear(features: Features, sentences: Mapping[str, Sequence[str]]) -> bytes:
    tf = pytest.importorskip("tensorflow")
    means = np.stack(
        [features.vectors(sentences[one]).astype(np.float32).mean(0) for one in sorted(sentences)]
    )
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    weights = np.zeros((features.size, decision.outputs(len(means))), np.float32)
    weights[:, : len(means)] = means.T

    @tf.function(input_signature=[tf.TensorSpec((1, features.size), tf.float32)])
    def call(x):  # type: ignore[no-untyped-def]
        return tf.matmul(x / (1.0 + tf.norm(x)), weights * 12.0)

    module = tf.Module()
    module.call = call
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], module
    )
    return bytes(converter.convert())
