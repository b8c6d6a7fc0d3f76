"""The parts that the stage `dataset` writes."""

import json

import numpy as np
import pytest

from stages.tabular.dataset import DatasetMetrics
from stages.tabular.formats import _findings
from stages.tabular.table_sample import table_sample
from stages.tasks.columns import reading, schema
from stages.tflite import part
from tests.stages.tabular.conftest import csv, lines

FOLDERS = {"train": "train", "val": "train/validation", "test": "test"}
TARGETS = {"classify": "state", "regress": "vibration [mm/s]"}


@pytest.fixture(params=["classify", "regress"])
def sample(request, make, tmp_path):
    """The parts of the generated sample, with each task."""
    table_sample(tmp_path / "sample", rows=300)
    text = (tmp_path / "sample" / "pumps.csv").read_text()
    return make(text, target=TARGETS[request.param], bins=6), request.param


def test_each_part_has_vectors_truth_and_plain_values(sample):
    made, task = sample
    total = 0
    for name, place in FOLDERS.items():
        folder = made.folder / place
        found, about = schema.read(folder), json.loads((folder / "truth.json").read_text())
        vectors = part.read(folder).tensors["row"]
        truth, plain = np.load(folder / "truth_target.npy"), np.load(folder / "plain.npy")
        assert vectors.dtype == np.uint8 and vectors.shape == (len(truth), found.size)
        assert (vectors == found.encode(plain)).all()
        assert (about["target"], about["task"]) == (TARGETS[task], task)
        assert truth.dtype == (np.int64 if task == "classify" else np.float64)
        assert np.isfinite(truth).all() and made.metrics[f"{name}_rows"] == len(truth)
        features = json.loads((folder / "plain.json").read_text())["features"]
        assert len(features) == plain.shape[1] == len(found.features)
        total += len(truth)
    assert total == 300 - made.metrics.get("unlabelled", 0)
    assert schema.read(made.folder / "columns") == found


def test_raw_items_become_the_vectors_of_their_rows(sample):
    made, _ = sample
    found = schema.read(made.folder / "columns")
    vectors = part.read(made.folder / "test").tensors["row"]
    items = part.items(made.folder / "test")
    assert len(items) == part.MOST_ITEMS
    for item in items:
        [row] = reading.rows(item.path, found)
        assert found.target.name not in row.cells
        assert (found.encode(found.values(row.cells)[None])[0] == vectors[item.first]).all()


def test_without_names_raw_items_lack_the_target_too(make):
    made = make(csv(lines(100)), target=3)
    found = schema.read(made.folder / "columns")
    assert not found.has_header
    vectors = part.read(made.folder / "test").tensors["row"]
    for item in part.items(made.folder / "test"):
        [row] = reading.rows(item.path, found)
        assert len(row.cells) == 2
        assert (found.encode(found.values(row.cells)[None])[0] == vectors[item.first]).all()


def test_the_cells_of_the_test_rows_are_kept_with_their_places(make):
    made = make(csv(lines(100), "a", "b", "y"))
    about = json.loads((made.folder / "test" / "rows.json").read_text())
    places = [int(place.rpartition(" ")[2]) for place in about["places"]]
    assert about["names"] == ["a", "b", "y"]
    assert about["rows"] == [lines(100)[line - 2] for line in places]


def test_what_is_learned_from_what_is_said(make):
    made = make(csv(lines(100), "a", "b", "y"))
    assert made.said.notes == [
        "the target is the last column, 'y'; set params.target to choose another",
        "learns 'y' (2 classes) from 2 of 2 columns: 1 number, 1 category; rows: 65 for training, 15 for "
        "validation, 20 for the test",
    ]


def test_rows_without_a_target_are_left_out_and_named(make):
    rows = lines(100)
    rows[7][2] = rows[9][2] = "?"
    made = make(csv(rows, "a", "b", "y"))
    assert made.metrics["unlabelled"] == 2
    assert made.said.notes[-1] == (
        "skipped 2 rows without a value of the target: rows.csv, line 9, rows.csv, line 11"
    )


def test_every_finding_is_a_metric():
    assert _findings.KINDS.keys() <= DatasetMetrics.__annotations__.keys()


def test_the_first_figure_shows_the_columns(sample):
    made, task = sample
    [first, *_] = [one for one in made.said.events if one["event"] == "figure"]
    assert first["name"] == "columns" and len(first["rows"]) == 10
    rows = {row[0]: row[1:] for row in first["rows"]}
    assert rows["reading"][:2] == ["number", "left out"]
    assert rows["reading"][-1] == "it identifies rows"
    assert rows[TARGETS[task]][1] == "target"
    assert sorted(rows["model"][3].split(", ")) == ["P100", "P200", "P300"]
    assert rows["measured"][3] == "2024-01-01 to 2024-03-28"


def test_each_column_has_its_distribution(sample):
    made, task = sample
    histograms = made.said.figures("histogram")
    numbers = {
        "measured",
        "speed [rpm]",
        "temperature [C]",
        "vibration [mm/s]",
        "pressure [bar]",
        "current [A]",
    }
    assert histograms.keys() == {f"distribution of {name}" for name in numbers - {TARGETS[task]}}
    for figure in histograms.values():
        assert all(sum(one["counts"]) == pytest.approx(100, abs=0.1) for one in figure["series"])
    categories = made.said.figures("table")["categories"]
    assert {row[0] for row in categories["rows"]} >= {"model", "oil"}
    for row in categories["rows"]:
        assert sum(row[3:]) == pytest.approx(100, abs=0.3)
