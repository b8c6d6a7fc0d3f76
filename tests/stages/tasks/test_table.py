"""The task `table`: answers to rows, and what it says about unusual ones."""

import json

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

from engine.stage import StageError
from stages.edge._items import answers
from stages.edge.predict import predict
from stages.tasks.columns.decision import Decision
from stages.tasks.columns.schema import Schema
from stages.tasks.signature import ANY
from stages.tasks.table import detections, needs
from stages.tasks.task import open_task
from tests.stages.tasks import packages, tables


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return tables.write(tmp_path_factory.mktemp("table") / "package")


@pytest.fixture
def answered(package, tmp_path):
    def done(text: str, name: str = "rows.csv", folder=package):
        (tmp_path / name).write_text(text)
        return answers(open_task(folder), tmp_path / name)

    return done


def test_each_row_gets_its_number_id_class_and_score(answered):
    rows = answered("colour,speed,id\nred,9,A7\nblue,1,A8\n")
    assert rows == [
        {
            **{"row": 1, "id": "A7", "value": "fast", "score": 0.9983},
            **{"unseen": "", "beyond": "", "missing": ""},
        },
        {
            **{"row": 2, "id": "A8", "value": "slow", "score": 0.9983},
            **{"unseen": "", "beyond": "", "missing": ""},
        },
    ]


def test_the_predicted_value_is_what_an_answer_detects():
    assert detections({"value": "fast", "score": 0.9}) == [
        {"label": "fast", "score": 0.9, "box": None, "id": None}
    ]
    assert detections({"value": 2.5, "low": 2.0, "high": 3.0}) == [
        {"label": "2.5", "score": None, "box": None, "id": None}
    ]
    assert detections({"value": None, "score": 0.0}) == []


def test_what_training_did_not_know_is_said(answered):
    [row] = answered('[{"colour": "green", "speed": 12.5}]', "rows.json")
    assert row["value"] == "fast" and "id" not in row  # the file has no such column
    assert (row["unseen"], row["beyond"], row["missing"]) == ("colour = green", "speed = 12.5", "")


def test_missing_values_are_said_and_filled_in(answered):
    [row] = answered("colour,speed\n,?\n")
    assert (row["score"], row["missing"]) == (0.5, "speed, colour")


def test_a_rare_category_of_training_is_nothing_unusual(answered):
    assert answered("colour,speed\nPink,1\n")[0]["unseen"] == ""


def test_a_number_has_its_interval(answered, tmp_path):
    folder = tables.write(tmp_path / "package", tables.LEVELS)
    [first, second] = answered("colour,speed\nred,9\nred,5\n", folder=folder)
    assert [first[name] for name in ("value", "low", "high")] == [2.5, 2.5, 2.5]
    assert [second[name] for name in ("value", "low", "high")] == [1.0, 1.0, 2.5]
    assert "score" not in first


def test_predict_writes_a_line_for_each_row(package, tmp_path):
    (tmp_path / "rows.tsv").write_text("speed\tcolour\n1\tred\n9\tred\n")
    metrics = predict(package, tmp_path / "result", tmp_path / "rows.tsv", task="table")
    lines = (tmp_path / "result" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["value"] for line in lines] == ["slow", "fast"]
    assert metrics == {"predictions": 2, "inputs": 2, "skipped": 0}


def test_a_picture_is_refused(package, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(StageError, match=r"contains no rows: give a \.csv with the columns"):
        predict(package, tmp_path / "result", tmp_path / "a.png", task="table")


def test_columns_that_do_not_fit_the_model_are_refused(tmp_path):
    folder = tables.write(tmp_path / "package")
    Schema(tables.SCHEMA.columns[:2]).write(folder / "data")
    packages.seal(folder, json.loads((folder / "manifest.json").read_text()))
    with pytest.raises(
        StageError, match=r"the model has 6 inputs, but .* columns have 3 components"
    ):
        open_task(folder)


def test_the_outputs_that_a_model_must_have_follow_from_the_decision():
    found = [
        needs(one.as_constants())["model"].outputs[ANY]
        for one in (tables.CLASSIFY, tables.LEVELS, Decision("a", "regress", "value"))
    ]
    assert found == [(1, "labels"), (1, 2), (1, 1)]
