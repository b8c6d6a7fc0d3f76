"""The task of a user's own model: rows of named columns, and arrays of any shape."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.stage import StageError
from stages.estimators import archive
from stages.estimators.archive import Written
from stages.media.unreadable import Unreadable
from stages.tasks.columns.column import TARGET, Column, Feature
from stages.tasks.columns.decision import Decision
from stages.tasks.columns.schema import AS_IS, Schema
from stages.tasks.task import open_task
from tests.stages.tasks import packages

SCHEMA = Schema(
    (
        Column("width", "number", features=(Feature("width", edges=(0.0, 10.0), median=4.0),)),
        Column("depth", "number", features=(Feature("depth", edges=(0.0, 1.0), median=0.5),)),
        Column("kind", "number", TARGET),
    ),
    encoding=AS_IS,
)
WEIGHTS = {"weights": np.array([[0.0, 1.0], [0.0, 0.0]]), "bias": np.array([4.5, 0.0])}
CLASSIFY = Decision("kind", "classify")


@pytest.fixture
def opened(tmp_path):
    """Return a task whose second class wins if the width is above 4.5, and its folder."""

    def open_with(decision=CLASSIFY, schema=SCHEMA, arrays=WEIGHTS):
        folder = tmp_path / "package"
        outputs = len(arrays["bias"])
        step = Written("dense", {"activation": "identity"}, arrays)
        model = folder / "models" / "model" / "arrays.npz"
        model.parent.mkdir(parents=True)
        archive.write(model, [step], 2, outputs)
        if schema:
            schema.write(folder / "data")
        (folder / "constants.json").write_text(json.dumps(decision.as_constants()))
        if decision.task == "classify":
            (folder / "labels.txt").write_text("narrow\nwide\n")
        models = {"model": {"arrays": "models/model/arrays.npz"}}
        packages.seal(folder, {"v": 2, "task": "numbers", "models": models})
        return open_task(folder)

    return open_with


def _answers(task, path):
    return [row for raw in task.read(path) for row in task.rows(task.answer(raw, task.new_state()))]


def test_rows_are_answered_by_the_names_of_their_columns(opened, tmp_path):
    (tmp_path / "a.csv").write_text("depth,other,width\n0.5,x,9\n,y,\n0.5,x,11\n")
    wide, unknown, beyond = _answers(opened(), tmp_path / "a.csv")
    assert (wide["row"], wide["value"], wide["missing"]) == (1, "wide", "")
    assert 0.98 < wide["score"] < 1
    assert (unknown["value"], unknown["missing"]) == ("narrow", "width, depth")
    assert beyond["beyond"] == "width = 11.0"


def test_a_row_without_a_column_is_unreadable(opened, tmp_path):
    (tmp_path / "a.csv").write_text("width,deepth\n1,2\n")
    with pytest.raises(Unreadable, match="deepth"):
        _answers(opened(), tmp_path / "a.csv")


def test_arrays_are_answered_with_and_without_columns(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.array([[9.0, 0], [1, 0]]))
    rows = _answers(opened(schema=None), tmp_path / "a.npy")
    assert [(row["row"], row["value"]) for row in rows] == [(1, "wide"), (2, "narrow")]
    np.save(tmp_path / "b.npy", np.zeros((2, 5)))


def test_a_model_without_columns_reads_no_tables(opened, tmp_path):
    task = opened(schema=None)
    (tmp_path / "a.csv").write_text("1,2\n")
    np.save(tmp_path / "b.npy", np.zeros((2, 5)))
    assert task.read(tmp_path / "a.csv") is None and task.takes == "tensors"
    with pytest.raises(Unreadable, match=r"\[2, 5\]"):
        _answers(task, tmp_path / "b.npy")


def test_an_amount_is_answered_with_its_value(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.array([2.0, 3.0]))
    one = {"weights": np.array([[1.0], [1.0]]), "bias": np.array([0.25])}
    decision = Decision("kind", "regress", "value")
    assert _answers(opened(decision, arrays=one), tmp_path / "a.npy") == [{"row": 1, "value": 5.25}]


def test_one_output_is_the_probability_of_the_second_class(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.5, 0.25], [0.0, 0.25]]))
    one = {"weights": np.array([[1.0], [1.0]]), "bias": np.array([0.0])}
    decision = Decision("kind", "classify", "probabilities")
    rows = _answers(opened(decision, arrays=one), tmp_path / "a.npy")
    assert [(row["value"], row["score"]) for row in rows] == [("wide", 0.75), ("narrow", 0.75)]


def test_an_answer_that_is_no_number_is_null(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.array([np.nan, 0]))
    decision = Decision("kind", "regress", "value")
    one = {"weights": np.array([[1.0], [1.0]]), "bias": np.array([0.0])}
    (row,) = _answers(opened(decision, arrays=one), tmp_path / "a.npy")
    assert row["value"] is None


def test_a_value_that_training_lacked_too_is_left_to_the_model(opened, tmp_path):
    depth = Feature("depth", edges=(0.0, 1.0), median=0.5, has_missing=True)
    columns = (SCHEMA.columns[0], replace(SCHEMA.columns[1], features=(depth,)), SCHEMA.columns[2])
    (tmp_path / "a.csv").write_text("depth,width\n,9\n1,\n")
    task = opened(schema=replace(SCHEMA, columns=columns))
    assert [row["value"] for row in _answers(task, tmp_path / "a.csv")] == [None, "narrow"]


def test_columns_of_another_model_are_refused(opened):
    with pytest.raises(StageError, match="1 values"):
        opened(schema=replace(SCHEMA, columns=SCHEMA.columns[1:]))
