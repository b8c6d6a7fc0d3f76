"""Compares a task's answers with the expected ones: text must be equal, numbers may differ."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.stage import note
from stages.tasks.task import Task, matched

Rows = Sequence[Mapping[str, Any]]


def compare(
    task: Task, answers: "Mapping[str, Rows]", expected: "Iterable[Mapping[str, Any]]"
) -> "tuple[float, float]":
    """Return the share of expected rows whose text agrees, and the largest difference of a number.

    task:     decides which rows are compared
    expected: [{"file": name of the item, "rows": [...]}]; an answer may have more fields
    """
    agreeing, total, farthest = 0, 0, 0.0
    for entry in expected:
        rows = answers.get(entry["file"], ())
        if len(rows) != len(entry["rows"]):
            note(f"{entry['file']}: {len(rows)} answers, {len(entry['rows'])} expected")
        total += max(len(rows), len(entry["rows"]))
        for row, wanted in matched(task, rows, entry["rows"]):
            words, difference = _differences(row, wanted)
            farthest = max(farthest, difference)
            agreeing += not words
    return (agreeing / total if total else 1.0), farthest


def _differences(row: "Mapping[str, Any]", wanted: "Mapping[str, Any]") -> "tuple[int, float]":
    """Return how many texts differ, and the largest difference of a number."""
    words, farthest = 0, 0.0
    for key, value in wanted.items():
        if _is_number(value) and _is_number(row.get(key)):
            farthest = max(farthest, abs(float(row[key]) - float(value)))
        else:
            words += row.get(key) != value
    return words, farthest


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
