"""Rows in training, validation and test: stratified, seeded, equal rows together, an existing split kept."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from engine.stage import StageError
from stages.tabular._division import joined
from tests.stages.tabular.conftest import csv, lines

FOLDERS = {"train": "train", "val": "train/validation", "test": "test"}


def _plain(made):
    return {name: np.load(made.folder / place / "plain.npy") for name, place in FOLDERS.items()}


def _truth(made):
    return {
        name: np.load(made.folder / place / "truth_target.npy") for name, place in FOLDERS.items()
    }


def _own(made):
    return json.loads((made.folder / "test" / "truth.json").read_text())["own_split"]


def test_each_class_has_the_same_share_in_every_part(make):
    rows = [
        [f"{at / 7:.4f}", str(at % 3), "rare" if at % 20 == 0 else "usual"] for at in range(1000)
    ]
    made = make(csv(rows, "a", "b", "y"))
    truth = _truth(made)
    assert [len(truth[name]) for name in FOLDERS] == [650, 150, 200] and not _own(made)
    assert [int((truth[name] == 0).sum()) for name in FOLDERS] == [32, 8, 10]


def test_numbers_are_stratified_by_tenths(make):
    rows = [[str(at * 7919 % 1000 / 8), str(at % 5), f"{at}.5"] for at in range(1000)]
    truth = _truth(make(csv(rows, "a", "b", "y")))
    assert sorted((truth["test"] // 100).astype(int).tolist()) == [
        at for at in range(10) for _ in range(20)
    ]


def test_the_seed_determines_the_parts(make, tmp_path):
    text = csv(lines(200), "a", "b", "y")
    found = []
    for seed in (1, 1, 2):
        (tmp_path / "out").rename(tmp_path / f"old{len(found)}") if found else None
        found.append(_plain(make(text, seed=seed))["test"].tolist())
    assert found[0] == found[1] != found[2]


def test_equal_rows_stay_together_whatever_their_class_and_identifier(make):
    chance = random.Random(0)
    rows = [[str(at), str(at // 3 * 7919 % 1000), chance.choice(["x", "y"])] for at in range(600)]
    made = make(csv(rows, "id", "a", "y"))
    assert made.columns["id"]["role"] == "left out"
    values = {name: set(plain[:, 0].tolist()) for name, plain in _plain(made).items()}
    assert sum(map(len, values.values())) == len(set.union(*values.values())) == 200


def test_rows_of_a_group_stay_together(make):
    rows = [[f"pump {at % 40}", *row] for at, row in enumerate(lines(400))]
    made = make(csv(rows, "pump", "a", "b", "y"), group="pump")
    assert made.columns["pump"]["why"] == "it says which rows belong together"
    tested = {
        row[0] for row in json.loads((made.folder / "test" / "rows.json").read_text())["rows"]
    }
    assert made.metrics["test_rows"] == 10 * len(tested) and 6 <= len(tested) <= 10


def test_rows_are_connected_by_equal_features_and_by_groups():
    features, groups = np.array([0, 1, 1, 2, 3, 4]), np.array([0, 0, 1, 1, -1, -1])
    found = joined(features, groups)
    assert len(set(found[:4].tolist())) == 1 and len(set(found.tolist())) == 3


def _by_part(words):
    rows = [[*row[:2], word, row[2]] for row, word in zip(lines(len(words)), words, strict=True)]
    return csv(rows, "a", "b", "Split", "y")


def test_a_column_split_is_kept_in_any_letter_case(make):
    words = ["Train", "TEST", "valid", "training", "train"] * 30
    made = make(_by_part(words))
    assert [len(plain) for plain in _plain(made).values()] == [90, 30, 30] and _own(made)
    assert made.columns["Split"]["why"] == "it says which part a row belongs to"


def test_without_a_test_part_validation_is_the_test(make):
    made = make(_by_part(["train", "train", "val"] * 40))
    assert [len(plain) for plain in _plain(made).values()] == [68, 12, 40]


@pytest.mark.parametrize("words", [["train", "other"] * 30, ["a", "b"] * 30, ["test", "val"] * 30])
def test_a_column_of_other_words_is_a_feature(make, words):
    made = make(_by_part(words))
    assert made.columns["Split"]["role"] == "feature" and not _own(made)


def test_files_named_train_and_test_keep_their_rows(make):
    rows = lines(150)
    made = make(
        {"train.csv": csv(rows[:100], "a", "b", "y"), "test.csv": csv(rows[100:], "a", "b", "y")}
    )
    assert [len(plain) for plain in _plain(made).values()] == [85, 15, 50] and _own(made)


def test_training_loses_the_rows_that_are_in_the_test_as_well(make):
    rows = lines(150)
    made = make({"train.csv": csv(rows, "a", "b", "y"), "test.csv": csv(rows[100:], "a", "b", "y")})
    assert sum(map(len, _plain(made).values())) == 150
    assert "left out 50 training rows: near-duplicates of test rows" in made.said.notes


def test_a_date_splits_by_time(make):
    rows = [[f"2024-{1 + at // 28:02}-{1 + at % 28:02}", *row] for at, row in enumerate(lines(300))]
    random.Random(1).shuffle(rows)
    made = make(csv(rows, "day", "a", "b", "y"), date="day")
    days = json.loads((made.folder / "test" / "rows.json").read_text())["rows"]
    assert sorted(row[0] for row in days) == sorted(row[0] for row in rows)[240:]
    assert [len(plain) for plain in _plain(made).values()] == [195, 45, 60]
    assert [one["part"] for one in made.columns["day"]["features"]] == ["weekday"]


def test_equal_times_stay_together(make):
    rows = [[str(at // 50), *row] for at, row in enumerate(lines(300))]
    made = make(csv(rows, "week", "a", "b", "y"), date="week")
    assert [len(plain) for plain in _plain(made).values()] == [150, 50, 100]


def test_a_class_without_a_training_row_is_left_out(make):
    words = ["train"] * 80 + ["test"] * 30
    rows = [[*row[:2], word, row[2]] for row, word in zip(lines(110), words, strict=True)]
    rows[-1][-1] = "new"
    made = make(csv(rows, "a", "b", "split", "y"))
    assert (made.folder / "test" / "labels.txt").read_text() == "no\nyes\n"
    assert (
        Counter(_truth(made)["test"].tolist()).keys() == {0, 1} and made.metrics["test_rows"] == 29
    )
    assert any("rows.csv, line 111 (new)" in note for note in made.said.notes)


@pytest.mark.parametrize(
    ("rows", "params", "why"),
    [
        ([["1", "x"], ["2", "y"], ["3", "x"]], {}, "there are no rows for validation: the table has 3"),
        ([[str(at), "x" if at < 50 else "y"] for at in range(60)], {"date": "a", "keep": ["a"]}, "all training rows have the same value of 'y', 'x'"),
        ([[str(at % 9), "xy"[at % 2]] for at in range(60)], {"date": "y", "target": "a"}, "params.date: 'y' contains no dates or numbers, or dates in different forms ('x', 'y')"),
        ([["2024-01-02", "xy"[at % 2], str(at)] for at in range(60)], {"date": "a", "target": "y"}, "no rows for training: params.date splits the rows by a column that has 1 different value"),
        ([[str(at % 9), "xy"[at % 2]] for at in range(60)], {"test_share": 0.6, "val_share": 0.5}, "leave no rows for training"),
        ([[str(at % 9), "later" if at % 9 else "31.12.2024"] for at in range(60)], {"date": "y", "target": "a"}, "('later', '31.12.2024')"),
    ],
)  # fmt: skip
def test_an_empty_part_is_refused(make, rows, params, why):
    with pytest.raises(StageError) as error:
        make(csv(rows, *"ayz"[: len(rows[0])]), **params)
    assert why in str(error.value)


def test_a_test_with_other_classes_is_refused(make):
    train = csv(lines(100), "a", "b", "y")
    with pytest.raises(
        StageError, match=r"no training row has, such as 'no\.': training has 'no', 'yes'"
    ):
        make(
            {
                "train.csv": train,
                "test.csv": csv([[*row[:2], "no."] for row in lines(20, 1)], "a", "b", "y"),
            }
        )


def test_the_column_split_itself_may_be_the_target(make):
    made = make(_by_part(["train", "test"] * 50), target="split")
    assert made.columns["Split"]["role"] == "target" and not _own(made)


def test_few_combinations_of_features_are_said(make):
    rows = [[str(at % 8), str(at % 2), "xy"[at % 2]] for at in range(200)]
    made = make(csv(rows, "a", "b", "y"))
    assert (
        "the rows have only 8 different combinations of features; rows with the same one stay in one part, so "
        "the test has combinations that are not trained on"
    ) in made.said.notes
