"""Compares a run with the previous one: the newest earlier finished run of the same use case and
target.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine import direction, layout, run_files, units
from engine.events import RunState
from engine.report import data, headline
from engine.wording import figure_name

MOST_LOOKED_AT = 50  # earlier runs
MOST_PARAMS = 30
NOISE = 0.05  # of a latency or a size: smaller changes are neither good nor bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of both runs; `tone` says whether the change is an improvement."""

    name: str
    before: str
    now: str
    change: str
    tone: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed since the previous run."""

    run_id: str
    began: float
    params: list[tuple[str, Any, Any]]  # name, before, now
    commits: tuple[str, str] | None  # None: the same
    has_other_assets: bool
    rows: list[Row]


def previous(run_dir: Path) -> RunState | None:
    """Return the newest earlier run that finished, of the same use case and target.

    An unreadable run is skipped: another run's damage must not prevent this report.
    """
    earlier = [
        path for path in layout.newest_first(layout.siblings(run_dir)) if path.name < run_dir.name
    ]
    for path in earlier[:MOST_LOOKED_AT]:
        try:
            if run_files.summary(path).status == "finished":
                return run_files.state(path)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def compare(before: RunState, now: RunState) -> Comparison:
    """Return what changed between two runs: parameters, commit, and the metrics that matter."""
    commits = tuple(str(run.start.get("git_commit") or "")[:12] for run in (before, now))
    params = list(_params(_choices(before), _choices(now)))
    has_other_assets = any(name.startswith("assets.") for name, _, _ in params)
    return Comparison(
        run_id=str(before.start.get("run_id", "")),
        began=before.start.get("time", 0.0),
        params=params[:MOST_PARAMS],
        has_other_assets=has_other_assets,
        commits=(commits[0], commits[1]) if commits[0] != commits[1] else None,
        rows=list(_rows(before, now, has_other_assets)),
    )


def change(name: str, difference: float, before: float) -> str:
    """Return a change: in percent for a metric with a unit, else like the metric itself."""
    if not difference:
        return "same"
    sign = "+" if difference > 0 else "\N{MINUS SIGN}"
    if units.unit(name).better and before:
        return f"{sign}{abs(100 * difference / before):.2g}\N{NO-BREAK SPACE}%"
    return sign + units.exact(name, abs(float(f"{difference:.3g}")))


def plain(value: object) -> str:
    """Return a parameter as in YAML: null and true, not None and True."""
    return str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _choices(run: RunState) -> dict[str, Any]:
    """Return what the user chose: parameters, and the data and models by their names."""
    chosen = {f"params.{name}": value for name, value in (run.start.get("params") or {}).items()}
    for one in data.of_run(run):
        chosen[f"assets.{one.key}"] = f"{one.name} {one.version[:8]}".strip()
    return chosen


def _params(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*now, *before]):
        pair = [run.get(name, "not set") for run in (before, now)]
        if pair[0] != pair[1]:
            yield name, pair[0], pair[1]


def _rows(before: RunState, now: RunState, has_other_assets: bool) -> Iterator[Row]:
    """Yield the rows; with other data or models, no change counts as good or bad."""
    main = headline.objective(now)
    shown: Iterable[headline.Found] = [
        *([main] if main else []),
        *headline.gated(now),
        *headline.costs(now),
    ]
    old = before.metrics
    for found in {one.key: one for one in shown}.values():
        if found.key in old:
            row = _row(found, old[found.key], headline.interval(now, found.key))
            yield replace(row, tone="") if has_other_assets else row


def _row(found: headline.Found, before: float, ends: tuple[float, float] | None) -> Row:
    difference = found.value - before
    is_known = math.isfinite(difference)
    remark = ""
    if ends and difference and ends[0] <= before <= ends[1]:
        remark = "within the 95 % interval"
    elif found.stage and figure_name(found.stage, found.name) != found.name:
        remark = "not measured on the device"
    is_noise = units.unit(found.name).better and abs(difference) < NOISE * abs(before)
    better = _better(found) * difference if is_known and not (remark or is_noise) else 0.0
    return Row(
        name=found.key,
        before=units.exact(found.name, before),
        now=units.exact(found.name, found.value),
        change=change(found.name, difference, before) if is_known else "",
        tone="good" if better > 0 else "bad" if better < 0 else "",
        remark=remark,
    )


def _better(found: headline.Found) -> int:
    """Return 1 if more of the metric is better, -1 if less is: according to its gate, else to its
    unit.
    """
    gates = found.stage.gates if found.stage else ()
    return direction.better(
        found.name, [one["rule"] for one in gates if one["metric"] == found.name]
    )
