"""Several runs side by side: what differs between them, as plain data.

Sources and environment come from the store's records of the stages, because a run's own files have only
the fingerprints that follow from them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import run_files, run_names, runs, units
from engine.events import RunState
from engine.fingerprint import Parts
from engine.numerals import number
from engine.report import comparison, data, headline
from engine.store import Store
from engine.wording import command_line, listed, plural

ABSENT = "\N{EN DASH}"
_DIGITS = 12  # of a digest
NO_OVERLAP, OVERLAP = "intervals do not overlap", "intervals overlap"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs, and the recorded parts of its stages' fingerprints."""

    run_dir: Path
    state: RunState
    parts: Mapping[str, Parts]  # by stage; without stages whose record is gone

    @property
    def heading(self) -> str:
        """Return the run's name, or else its id."""
        return str(self.state.start.get("name") or self.run_dir.name)


@dataclass(frozen=True, slots=True)
class Row:
    """One value of each run; None if a run does not have it."""

    name: str
    values: tuple[Any, ...]
    shown: tuple[str, ...]
    remark: str = ""

    @property
    def differs(self) -> bool:
        """Return whether the runs have different values."""
        return any(value != self.values[0] for value in self.values)

    @property
    def is_partial(self) -> bool:
        """Return whether only some of the runs have a value."""
        return ABSENT in self.shown


@dataclass(frozen=True, slots=True)
class Sheet:
    """The comparison: sections by name, each with its rows, and what to know about it."""

    sides: Sequence[Side]
    sections: Mapping[str, Sequence[Row]]
    notes: Sequence[str]

    def telling(self, section: str) -> list[Row]:
        """Return the rows that differ. Runs of different use cases differ in what they have at all, so only
        what all of them have is compared.
        """
        rows = [row for row in self.sections[section] if row.differs]
        return [row for row in rows if not row.is_partial] if self._is_mixed else rows

    def partial(self, section: str) -> list[Row]:
        """Return the other rows that differ: only some runs of different use cases have them."""
        return [row for row in self.sections[section] if row.is_partial] if self._is_mixed else []

    @property
    def _is_mixed(self) -> bool:
        return len({one.state.start.get("usecase") for one in self.sides}) > 1


def side(run_dir: Path, store: Store) -> Side:
    """Read one run."""
    state = run_files.state(run_dir)
    return Side(run_dir, state, runs.parts(state, store))


def sheet(sides: Sequence[Side]) -> Sheet:
    """Compare the runs; the first is the one that the others are compared with."""
    sections = {
        "run": _rows(list(map(_facts, sides))),
        "parameters": list(_parameters(sides)),
        "data": _rows([_data(one.state) for one in sides]),
        "source": list(_sources(sides)),
        "environment": _rows([_environment(one) for one in sides]),
        "stages": _rows([_stages(one.state) for one in sides]),
        "metrics": list(_metrics(sides)),
    }
    return Sheet(sides, sections, list(_notes(sides)))


def as_json(found: Sheet, is_whole: bool) -> dict[str, Any]:
    """Return the comparison as plain data; unless it is to be whole, without equal values."""
    return {
        "runs": [_described(one) for one in found.sides],
        "notes": list(found.notes),
        **{
            name: [
                {
                    "name": row.name,
                    "values": row.values,
                    "differs": row.differs,
                    "remark": row.remark,
                }
                for row in rows
                if is_whole or row.differs
            ]
            for name, rows in found.sections.items()
        },
    }


def _described(one: Side) -> dict[str, Any]:
    start = one.state.start
    keys = ("name", "usecase", "target")
    return {
        "id": one.run_dir.name,
        **{key: start.get(key) for key in keys},
        "status": one.state.status,
        "started": start.get("time"),
        "seconds": one.state.seconds,
        "command": command_line(one.state),
        "label": run_names.label(one.run_dir),
    }


def _facts(one: Side) -> dict[str, str]:
    start = one.state.start
    return {
        "use case": str(start.get("usecase")),
        "target": str(start.get("target")),
        "machine": str(start.get("machine")),
        "status": one.state.status,
        "planned until": ", ".join(start.get("until") or ()) or "the end",
    }


def _parameters(sides: Sequence[Side]) -> Iterator[Row]:
    """Yield the use case's parameters, then those of stages that do not follow from them."""
    own = _rows([dict(one.state.start.get("params") or {}) for one in sides], comparison.plain)
    explained = [(row.name, row.values) for row in own]  # values may be lists and mappings
    yield from own
    for row in _rows([_of_stages(one.state) for one in sides], comparison.plain):
        if (row.name.rpartition(".")[2], row.values) not in explained:
            yield row


def _of_stages(state: RunState) -> dict[str, Any]:
    return {
        f"{stage.name}.{key}": value
        for stage in state.stages.values()
        for key, value in (stage.job.get("params") or {}).items()
    }


def _data(state: RunState) -> dict[str, str]:
    return {one.key: f"{one.name} {one.version}".strip() for one in data.of_run(state)}


def _sources(sides: Sequence[Side]) -> Iterator[Row]:
    """Yield the commit, then the modules of the stages."""
    yield from _rows([{"commit": _commit(one.state)} for one in sides])
    found: list[dict[str, Any]] = [{} for _ in sides]
    readers: dict[str, list[str]] = {}
    for at, one in enumerate(sides):
        for stage, parts in one.parts.items():
            for module, digest in parts.get("source", {}).items():
                found[at][module] = digest
                readers.setdefault(module, []).append(stage)
    for row in _rows(found, _short):
        stages = dict.fromkeys(readers[row.name])
        yield Row(row.name, row.values, row.shown, f"source of {listed(stages)}")


def _commit(state: RunState) -> str:
    name = str(state.start.get("git_commit") or "none")[:_DIGITS]
    return f"{name}, modified" if state.start.get("git_modified") else name


def _environment(one: Side) -> dict[str, str]:
    """Return each package, program and property of the stages' environments, with its versions."""
    versions: dict[str, dict[str, None]] = {}
    for parts in one.parts.values():
        for name, version in parts.get("environment", {}).items():
            versions.setdefault(name, {})[_short(version)] = None
    return {name: ", ".join(found) for name, found in sorted(versions.items())}


def _stages(state: RunState) -> dict[str, str]:
    return {
        stage.name: f"{stage.state} on {stage.measured_on}" if stage.measured_on else stage.state
        for stage in state.stages.values()
    }


def _metrics(sides: Sequence[Side]) -> Iterator[Row]:
    """Yield the metrics: the objective, those with gates, the costs, then the others."""
    known = [_own_metrics(one.state) for one in sides]
    first = [key for one in sides for key in _main(one.state)]
    for key in dict.fromkeys([*first, *(key for metrics in known for key in metrics)]):
        values = tuple(metrics.get(key) for metrics in known)
        if any(value is not None for value in values) and not _is_end(key, known):
            shown = tuple(_shown(one.state, key) for one in sides)
            yield Row(key, values, shown, _remark(key, values, sides))


def _own_metrics(state: RunState) -> dict[str, float]:
    """Return all metrics, but not again under a stage's former name."""
    former = tuple(f"{s.job['formerly']}." for s in state.stages.values() if s.job.get("formerly"))
    return {key: value for key, value in state.metrics.items() if not key.startswith(former)}


def _main(state: RunState) -> Iterator[str]:
    objective = headline.objective(state)
    shown: Iterable[headline.Found | None] = [
        objective,
        *headline.gated(state),
        *headline.costs(state),
    ]
    yield from (one.key for one in shown if one)


def _is_end(key: str, known: Sequence[Mapping[str, float]]) -> bool:
    """Return whether the metric is an end of another one's interval, which is shown with that one."""
    ends = (headline.LOW, headline.HIGH)
    base = next((key.removesuffix(end) for end in ends if key.endswith(end)), "")
    return any(base in metrics for metrics in known)


def _shown(state: RunState, key: str) -> str:
    value = state.metrics.get(key)
    if value is None:
        return ABSENT
    ends = headline.interval(state, key)
    return units.exact(key, value) + (f" ({number(ends[0])} to {number(ends[1])})" if ends else "")


def _remark(key: str, values: Sequence[float | None], sides: Sequence[Side]) -> str:
    """Return the change between two runs, and whether the intervals overlap with the first one's."""
    if len(set(values)) == 1:
        return ""
    parts = []
    before, now = values[0], values[1]
    if len(values) == 2 and before is not None and now is not None and math.isfinite(now - before):
        parts.append(comparison.change(key, now - before, before))
    parts.append(_overlap(key, sides))
    places = dict.fromkeys(filter(None, (_place(one.state, key) for one in sides)))
    if units.unit(key).better and len(places) > 1:
        parts.append(f"measured on {listed(places)}")
    return "; ".join(filter(None, parts))


def _overlap(key: str, sides: Sequence[Side]) -> str:
    first, *others = (headline.interval(one.state, key) for one in sides)
    apart = [
        one.heading
        for one, ends in zip(sides[1:], others, strict=True)
        if first and ends and (ends[0] > first[1] or ends[1] < first[0])
    ]
    if apart:
        return NO_OVERLAP if len(sides) == 2 else f"{NO_OVERLAP}: {listed(apart)}"
    return OVERLAP if first and all(others) else ""


def _place(state: RunState, key: str) -> str:
    stage = state.stages.get(key.rpartition(".")[0])
    return str(stage.measured_on or "") if stage else ""


def _notes(sides: Sequence[Side]) -> Iterator[str]:
    """Yield what limits the comparison."""
    for key, words in (("usecase", "use cases"), ("target", "targets")):
        names = dict.fromkeys(str(one.state.start.get(key)) for one in sides)
        if len(names) > 1:
            yield f"these are runs of different {words}: {listed(names)}"
    for one in sides:
        lost = [
            s.name for s in one.state.stages.values() if s.fingerprint and s.name not in one.parts
        ]
        if lost:
            count = plural(len(lost), "stage")
            yield f"{one.heading}: source and environment of {count} are not in the store: {listed(lost)}"
        if one.state.damage:
            yield f"{one.heading}: partly unreadable: {one.state.damage}"
    samples = [one.heading for one in sides if any(d.is_sample for d in data.of_run(one.state))]
    if samples and len(samples) < len(sides):
        yield f"sample data: only {listed(samples)}"


def _rows(found: Sequence[Mapping[str, Any]], show: Callable[[Any], str] = str) -> list[Row]:
    names = dict.fromkeys(name for one in found for name in one)
    return [
        Row(
            name,
            tuple(one.get(name) for one in found),
            tuple(show(one[name]) if name in one else ABSENT for one in found),
        )
        for name in names
    ]


def _short(value: object) -> str:
    text = str(value)
    kind, _, digest = text.rpartition(":")
    is_digest = len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    return f"{kind}{':' if kind else ''}{digest[:_DIGITS]}" if is_digest else text
