"""The runs of an outputs folder as rows of a table: read, filtered and sorted.

A run that is over is read from run.json and metrics.json, which is fast enough for thousands of runs.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter

from engine import handles, layout, run_annotations, run_files
from engine.errors import UserError, did_you_mean
from engine.jsontypes import Finite
from engine.run_annotations import Annotations
from engine.store import Store
from engine.vocabulary import RunStatus

Value = float | str
DAMAGED, KILLED = "damaged", "killed"  # its journal cannot be read; its engine was killed
STATUSES = (*get_args(RunStatus), DAMAGED, KILLED)
_CONDITION = re.compile(r"\s*([^<>=!\s]+)\s*(>=|<=|==|!=|=|<|>)\s*([^<>=!\s].*?)\s*")
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    "=": lambda left, right: left == right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}
_TRUTH = {"true": "1", "false": "0"}  # as Python compares them with numbers
_FACTS = ("started", "seconds", "name", "usecase", "target", "status", "objective")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run."""

    run_dir: Path
    name: str
    usecase: str
    target: str
    started: float  # seconds since 1970
    seconds: float | None
    status: str
    gates: list[bool | None]
    objective: str  # the name of the metric; empty if there is none
    params: dict[str, Any]
    metrics: dict[str, float]
    annotations: Annotations

    @property
    def value(self) -> float | None:
        """Return the objective's value."""
        return self.metrics.get(self.objective)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the ends of the objective's 95 % interval, if its stage returns them."""
        ends = [self.metrics.get(f"{self.objective}_{end}") for end in ("low", "high")]
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])

    def fact(self, key: str) -> Value | None:
        """Return what a condition or an order refers to: a metric, `params.NAME`, or a fact of the run."""
        if key in _FACTS:
            found = self.value if key == "objective" else getattr(self, key)
        elif key.startswith("params."):
            found = self.params.get(key.removeprefix("params."))
        else:
            found = self.metrics.get(key)
        return found if isinstance(found, int | float | None) else str(found)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a run, such as `score.accuracy > 0.9`."""

    key: str
    operator: str
    value: Value

    def holds(self, row: Row) -> bool:
        """Return whether the run meets the condition; a run without the value does not."""
        found = row.fact(self.key)
        if found is None or (isinstance(found, str) != isinstance(self.value, str)):
            return found is not None and self.operator == "!="
        return _HOLDS[self.operator](found, self.value)


def every(outputs: Path) -> list[Row]:
    """Return the rows of all readable runs, oldest first."""
    found = [row(run_dir) for run_dir in layout.runs(outputs)]
    return [one for one in found if one is not None]


def unreadable(outputs: Path, rows: Iterable[Row]) -> dict[Path, str]:
    """Return the runs that have no row because their journal is damaged, each with what is wrong."""
    listed = {one.run_dir for one in rows}
    missing = [run_dir for run_dir in layout.runs(outputs) if run_dir not in listed]
    damage = {run_dir: run_files.state(run_dir).damage for run_dir in missing}
    return {run_dir: what for run_dir, what in damage.items() if what}


def row(run_dir: Path) -> Row | None:
    """Return the row of a run; None if nothing of it can be read."""
    found = _from_files(run_dir) if run_files.is_sealed(run_dir) else None
    about, metrics = found or _from_journal(run_dir)
    if "objective" not in about:  # in run.json of earlier versions
        about["objective"] = run_files.first_event(run_dir).get("objective")
    if not about.get("run_id"):
        return None
    stages = about["stages"].values()
    return Row(
        run_dir=run_dir,
        name=about.get("name") or "",
        usecase=about["usecase"],
        target=about["target"],
        started=about["started"],
        seconds=about.get("seconds"),
        status=about["status"],
        gates=[gate["passed"] for stage in stages for gate in stage["gates"]],
        objective=about.get("objective") or "",
        params=about["params"],
        metrics=metrics,
        annotations=run_annotations.read(run_dir),
    )


def conditions(text: str) -> list[Condition]:
    """Return the conditions in a text, joined by `and`; raise UserError for anything else."""
    return [_condition(one) for one in _AND.split(text)] if text.strip() else []


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        fix = 'write: where="score.accuracy>0.9 and params.epochs=5"'
        raise UserError(f"where={text}", "this is not a condition", fix)
    key, operator, words = match.groups()
    value = _value(words)
    if isinstance(value, str) and operator not in ("=", "==", "!="):
        what = f"'{words}' is not a number"
        raise UserError(f"where={text}", what, f"write a number after {operator}")
    return Condition(key, operator, value)


def check_known(where: str, keys: Iterable[str], rows: Sequence[Row]) -> None:
    """Raise UserError for a key that no run has; without runs, nothing is wrong."""
    known = {*_FACTS, *(key for one in rows for key in one.metrics)}
    known |= {f"params.{key}" for one in rows for key in one.params}
    for key in keys:
        if rows and key not in known:
            raise UserError(f"{where}={key}", "no run has this", did_you_mean(key, known))


def has_tags(found: Row, wanted: Collection[str]) -> bool:
    """Return whether the run has all these tags: `key`, or `key=value`."""
    tags = found.annotations.tags
    pairs = {f"{key}={value}" for key, value in tags.items()}
    return all(one in tags or one in pairs for one in wanted)


def ordered(rows: Iterable[Row], key: str) -> list[Row]:
    """Return the rows in ascending order of the key, or descending if it begins with `-`.

    Runs without the value are last.
    """
    name = key.removeprefix("-")
    known: list[tuple[Any, Row]] = []
    unknown: list[Row] = []
    for one in rows:
        value = one.fact(name)
        is_known = value is not None and value == value  # NaN has no order
        known.append(((isinstance(value, str), value), one)) if is_known else unknown.append(one)
    in_order = sorted(known, key=lambda pair: pair[0], reverse=key.startswith("-"))
    return [*(one for _, one in in_order), *unknown]


def _value(words: str) -> Value:
    """Return a number, or text; what is in quotes is text."""
    if len(words) > 1 and words[0] == words[-1] and words[0] in "'\"":
        return words[1:-1]
    try:
        value = float(_TRUTH.get(words.lower(), words))
    except ValueError:
        return words
    return value if math.isfinite(value) else words


def _from_files(run_dir: Path) -> tuple[dict[str, Any], dict[str, float]] | None:
    try:
        data = handles.read(run_dir / run_files.RUN_FILE, run_files.MOST_BYTES)
        about = _forms()[0].validate_json(data)
        data = handles.read(run_dir / run_files.METRICS_FILE, run_files.MOST_BYTES)
        return about, _forms()[1].validate_json(data)
    except (OSError, ValueError):
        return None


def _from_journal(run_dir: Path) -> tuple[dict[str, Any], dict[str, float]]:
    state = run_files.state(run_dir)
    about: dict[str, Any] = json.loads(json.dumps(run_files.run_json(state), default=str))
    if state.damage:
        about["status"] = DAMAGED
    elif state.status == "running" and not _is_at_work(run_dir):
        about["status"] = KILLED
    return about, state.metrics


def _is_at_work(run_dir: Path) -> bool:
    outputs = run_dir.parents[2]
    return Store(layout.store_dir(outputs)).locks.is_at_work(run_dir.name)


@cache
def _forms() -> tuple[TypeAdapter[Any], TypeAdapter[dict[str, float]]]:
    from typing_extensions import TypedDict

    class Stage(TypedDict):
        gates: list[dict[str, Any]]

    class Run(TypedDict, total=False):
        run_id: str
        name: str | None
        usecase: str
        target: str
        started: Finite
        seconds: Finite | None
        status: str
        objective: str | None
        params: dict[str, Any]
        stages: dict[str, Stage]

    return TypeAdapter(Run), TypeAdapter(dict[str, float])
