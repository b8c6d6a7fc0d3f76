"""Columns that may contain the answer are named; honest ones are not."""

import random
import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from tests.stages.tabular.conftest import csv

CHANCE = random.Random(5)
ROWS = 1200


def _suspects(make, names, rows, **params):
    made = make(csv([list(map(str, row)) for row in rows], *names), target="y", **params)
    notes = [note for note in made.said.notes if note.startswith("suspected leak")]
    assert made.metrics.get("suspected_leaks", 0) == sum(note.count(" (") for note in notes)
    return notes[0] if notes else ""


def _rows(one):
    """Return rows of noise, of what `one` makes of the class, and of a class in 5 % of the rows."""
    found = []
    for _ in range(ROWS):
        y = CHANCE.random() < 0.05
        found.append((round(CHANCE.gauss(0, 1) + y, 4), one(y), "fail" if y else "ok"))
    return found


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (lambda y: "dead" if y else "alive", "alone, it names the class of 100.0% of the rows"),
        (lambda y: round(CHANCE.random() + 2 * y, 4), "alone, it names the class of"),
        (lambda y: int(y and CHANCE.random() < 0.4), "if set, 'fail' follows in 100.0% of"),
        (lambda y: "T" if y and CHANCE.random() < 0.4 else "F", "if set, 'fail' follows in"),
    ],
)
def test_a_column_that_gives_the_class_away_is_named(make, one, why):
    said = _suspects(make, ("a", "leak", "y"), _rows(one))
    assert said.startswith(f"suspected leak: 1 column may contain the answer: leak ({why}")
    assert said.endswith("should be left out: 'params.drop=[leak]'")


@pytest.mark.parametrize(
    "one",
    [
        lambda y: CHANCE.choice("abc"),
        lambda y: round(CHANCE.gauss(3 * y, 1), 3),  # strong, but not perfect
        lambda y: int(CHANCE.random() < 0.05),
        lambda y: int(y or CHANCE.random() < 0.01),  # often right, but not always
        lambda y: int(not y and CHANCE.random() < 0.1),  # a flag of the usual class
    ],
)
def test_an_honest_column_is_not(make, one):
    assert _suspects(make, ("a", "b", "y"), _rows(one)) == ""


def test_few_rows_prove_nothing(make):
    rows = [(CHANCE.random(), at % 30 == 0, at % 30 == 0) for at in range(240)]
    assert _suspects(make, ("a", "b", "y"), rows) == ""


def test_names_with_spaces_are_quoted_for_the_command_line(make):
    said = _suspects(make, ("a", "it is", "y"), _rows(lambda y: y))
    assert said.endswith("""'params.drop=["it is"]'""")


@pytest.mark.parametrize("name", ["it's", "null", "1e5", "say #hi#", "a=b {c}", "${d}", "größe"])
def test_the_words_to_leave_a_column_out_can_be_pasted(make, name):
    header = '"' + name.replace("#", '""') + '"'
    said = _suspects(make, ("a", header, "y"), _rows(lambda y: y), header=True)
    (word,) = shlex.split(said.rpartition(": ")[2])
    override = OverridesParser.create().parse_override(word)
    config = OmegaConf.create({"drop": override.value()})
    assert list(config.drop) == [name.replace("#", '"')]


@pytest.mark.parametrize(
    ("one", "is_leak"),
    [
        (lambda y: round(3 * y + 1, 6), True),
        (lambda y: round(y**3, 6), True),  # another scale, but the same order
        (lambda y: round(y + CHANCE.gauss(0, 0.3), 6), False),
        (lambda y: "high" if y > 0 else "low", False),
    ],
)
def test_a_column_that_determines_a_number_is_named(make, one, is_leak):
    rows = []
    for _ in range(400):
        y = round(CHANCE.gauss(0, 1), 6)
        rows.append((round(CHANCE.random(), 4), one(y), y))
    said = _suspects(make, ("a", "b", "y"), rows)
    assert ("b (it determines the target nearly alone)" in said) == is_leak
