"""Columns that are no features, each with its reason."""

import random

import pytest

from engine.stage import StageError
from stages.tabular._roles import index_of
from tests.stages.tabular.conftest import csv, lines

RANDOM = random.Random(0)
ROWS = lines(100)


def _with(make, name, cells, **params):
    """Return the column of this name in the schema, beside others."""
    rows = [[cell, *row] for cell, row in zip(map(str, cells), ROWS, strict=True)]
    made = make(csv(rows, name, "a", "b", "y"), target="y", **params)
    return made.columns[name], made.metrics


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("n", range(1, 101), "id_columns"),
        ("n", range(5000, 4900, -1), "id_columns"),
        ("n", RANDOM.sample(range(100), 100), "id_columns"),  # shuffled, but without a gap
        ("n", sorted(RANDOM.sample(range(10**6), 100)), "id_columns"),
        ("user_id", RANDOM.sample(range(10**6), 100), "id_columns"),
        ("Unnamed: 0", RANDOM.sample(range(10**6), 100), "id_columns"),
        ("code", [f"M{at}" for at in range(100)], "id_columns"),
        ("n", [f'"{at}{".,"[at % 2]}5"' for at in range(100)], "mixed_decimals"),
        ("comment", [f"it was {at}" for at in range(100)], "text_columns"),
        ("n", [3] * 100, "constant_columns"),
        ("n", ["x"] * 100, "constant_columns"),
        ("n", [""] * 100, "empty_columns"),
        ("n", [row[0] for row in ROWS], "copied_columns"),
    ],
)
def test_it_is_left_out_and_counted(make, name, cells, kind):
    column, metrics = _with(make, name, cells)
    if kind == "copied_columns":  # the second one is the copy
        assert metrics[kind] == 1
        return
    assert column["role"] == "left out" and column["why"] and metrics[kind] == 1


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("n", [at + 0.5 for at in range(100)]),  # floats are never identifiers
        ("n", RANDOM.sample(range(10**6), 100)),  # neither sorted, nor dense, nor called id
        ("grid", [at // 2 for at in range(100)]),
        ("width", RANDOM.sample(range(10**6), 100)),  # ends in "id" only within a word
        ("n", [3] * 60 + [""] * 40),  # whether it is missing may matter
        ("n", [f"M{at % 50}" for at in range(100)]),
    ],
)
def test_it_is_a_feature(make, name, cells):
    assert _with(make, name, cells)[0]["role"] == "feature"


def test_the_user_can_keep_and_drop_columns(make):
    kept, _ = _with(make, "n", range(100), keep=["n"])
    assert kept["role"] == "feature"


def test_a_dropped_column_is_named(make):
    column, metrics = _with(make, "n", [at % 7 for at in range(100)], drop=[1])
    assert (column["role"], column["why"]) == ("left out", "it was dropped")
    assert metrics["dropped_columns"] == 1


@pytest.mark.parametrize(
    ("wanted", "place"), [("B b", 1), ("b  B", 1), (1, 0), (-1, 2), ("-2", 1), ("3", 2)]
)
def test_a_column_is_named_or_numbered(wanted, place):
    assert index_of(["a", "b b", "c"], wanted, "target") == place


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("b bb", "there is no column 'b bb'; did you mean 'b b'?"),
        ("zzz", "there is no column 'zzz'; write one of a, b b, c"),
        (4, "there is no column 4: the table has 3; write 1 for the first one, or -1 for the last"),
        (0, "there is no column 0"),
        (-4, "there is no column -4"),
    ],
)
def test_a_column_that_does_not_exist_is_refused(wanted, why):
    with pytest.raises(StageError) as error:
        index_of(["a", "b b", "c"], wanted, "target")
    assert f"params.target: {why}" in str(error.value)
