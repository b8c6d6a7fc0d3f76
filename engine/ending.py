"""The closing lines of a run: result, speed, and the paths to open.

This file decides their content, independently of how they are displayed and of the task: the
objective comes from the use case; latency and size are recognised by their names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import layout, loosening, units
from engine.events import RunState, StageState
from engine.numerals import number
from engine.wording import as_typed, command_line, duration, is_stand_in, plural, stand_ins


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its label and its text."""

    label: str
    text: str


def headline(state: RunState) -> str:
    """Return how the run ended, after how long, and how many stages ran or were cached."""
    word = "after" if state.status in ("failed", "pruned", "interrupted") else "in"
    return f"{state.status} {word} {duration(state.seconds)}: {_counts(state)}"


def aligned(line: Line) -> str:
    """Return the line as text, with its label padded to a column."""
    return f"  {line.label:<9}{line.text}"


def lines(state: RunState, run_dir: Path | None) -> Iterator[Line]:
    """Yield the lines after the headline."""
    failed = [stage.name for stage in state.stages.values() if stage.state == "failed"]
    if failed:
        yield Line("failed", ", ".join(failed))
    if result := _result(state):
        yield Line("result", result)
    if speed := _speed(state):
        yield Line("speed", speed)
    if run_dir is not None:
        yield from _paths(run_dir)
    if state.status == "interrupted":
        yield Line("resume", command_line(state))
    if state.status == "rejected" and (looser := loosening.command(state)):
        yield Line("loosen", looser)


def _counts(state: RunState) -> str:
    """Return how many stages finished, were cached, or started but did not finish."""
    stages = state.stages.values()
    cached = sum(stage.cached for stage in stages)
    begun = [stage for stage in stages if stage.attempt > 0]
    ran = sum(stage.state in ("finished", "rejected") for stage in begun)
    counts = f"{plural(ran, 'stage')} ran, {cached} cached"
    return counts + (f", {len(begun) - ran} did not finish" if ran < len(begun) else "")


def _result(state: RunState) -> str:
    """Return the objective, the results of the gates, and whether the data are a sample."""
    objective = str(state.start.get("objective") or "")
    value = state.metrics.get(objective)
    parts = [] if value is None else [f"{objective} {number(value)}{_interval(state, objective)}"]
    gates = [(stage, gate) for stage in state.stages.values() for gate in stage.gates]
    broken = [(stage, gate) for stage, gate in gates if gate["passed"] is False]
    parts += [
        f"{stage.name}.{gate['metric']} {number(gate['value'])} fails the gate ({gate['rule']})"
        for stage, gate in broken
    ]
    if gates and not broken:
        judged = sum(gate["passed"] is True for _, gate in gates)
        left = len(gates) - judged
        parts.append(f"{judged} of {plural(len(gates), 'gate')} passed")
        parts += [f"{left} not evaluated"] if left else []
    if parts and any(asset.get("sample") for asset in state.start.get("assets", ())):
        parts.append("sample data")
    return ", ".join(parts)


def _interval(state: RunState, metric: str) -> str:
    """Return the interval, if the stage returns the bounds, or the spread of a mean; else nothing."""
    sd = (
        state.metrics.get(f"{metric.removesuffix('.mean')}.sd")
        if metric.endswith(".mean")
        else None
    )
    if sd is not None:
        count = state.count_of(metric)
        return f" \N{PLUS-MINUS SIGN} {number(sd)} (standard deviation over {count} values)"
    low, high = (state.metrics.get(f"{metric}_{end}") for end in ("low", "high"))
    return "" if low is None or high is None else f" ({number(low)} to {number(high)})"


def _speed(state: RunState) -> str:
    """Return the latency and size of the model on the target, and where they were measured."""
    for stage in state.stages.values():
        figures = [_figure(stage, "latency"), _figure(stage, "size_bytes")]
        if figures[0] and stage.job.get("runs_on") == "target":
            where = f"measured on {stage.measured_on or ''}"
            if is_stand_in(stage):
                where = _elsewhere(stage.measured_on or "emulated")
            return ", ".join(filter(None, figures)) + f"; {where}"
    return "; ".join(map(_elsewhere, stand_ins(state)))


def _elsewhere(where: str) -> str:
    return f"{where}, not measured on the device"


def _figure(stage: StageState, word: str) -> str:
    """Return the stage's first metric with this word in its name, with its unit."""
    name = next((name for name in stage.metrics if word in name), "")
    return f"{units.title(name).lower()} {_spaced(name, stage.metrics[name])}" if name else ""


def _spaced(name: str, value: float) -> str:
    """Return the value and its unit, separated by a space that every terminal can show."""
    return re.sub(r"\s", " ", units.brief(name, value))


def _paths(run_dir: Path) -> Iterator[Line]:
    """Yield the files to open: the report and the packed model, or the run's folder."""
    report, package = run_dir / "report.html", layout.package(run_dir)
    if report.is_file():
        yield Line("report", as_typed(report))
    else:
        yield Line("folder", as_typed(run_dir))
    if package is not None:
        yield Line("package", as_typed(package))
