"""The figures of a run for its report: those of its stages, and the curves of their metrics."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine import figure_kinds, figure_page, units
from engine.events import RunState, StageState
from engine.figure_kinds import Figure

MOST_CHARTS = 24  # figures of one kind
MOST_POINTS = 2_000  # of one curve
ROLES = ("train_", "val_", "validation_", "test_")  # curves of one quantity share a chart
FIRST = ("picture_grid", "curves", "confusion_matrix", "bars")  # kinds that readers want first
LAST = ("op_graph",)  # long kinds; all others are in between

Curves = dict[str, list[tuple[int, float]]]  # of one quantity: name -> (step, value)


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one kind."""

    kind: str
    heading: str
    figures: Sequence[tuple[str, str]]  # title, drawing
    left_out: int


def sections(state: RunState) -> list[Section]:
    """Return the drawings by kind; within a kind in the order of the stages."""
    groups: dict[str, list[tuple[str, Figure]]] = {}
    for stage, figure in figures(state):
        groups.setdefault(figure["kind"], []).append((f"{stage}: {figure['name']}", figure))
    return [
        Section(
            kind,
            figure_kinds.of(kind).HEADING,
            [(title, figure_page.fragment(figure)) for title, figure in groups[kind][:MOST_CHARTS]],
            max(0, len(groups[kind]) - MOST_CHARTS),
        )
        for kind in sorted(groups, key=_rank)
    ]


def figures(state: RunState) -> Iterator[tuple[str, Figure]]:
    """Yield each stage's curves of metrics and its figures.

    A kind from a newer version is skipped.
    """
    for stage in state.stages.values():
        for quantity, series in _quantities(stage).items():
            yield stage.name, _of_points(quantity, series)
    for stage in state.stages.values():
        for figure in stage.figures:
            if figure["kind"] in figure_kinds.names():
                yield stage.name, figure


def _rank(kind: str) -> int:
    return FIRST.index(kind) if kind in FIRST else len(FIRST) + (kind in LAST)


def _quantities(stage: StageState) -> dict[str, Curves]:
    """Return the stage's curves by quantity: `loss` holds both `loss` and `val_loss`."""
    quantities: dict[str, Curves] = {}
    for name, step, value, _ in stage.points:
        role = next((role for role in ROLES if name.startswith(role)), "")
        curves = quantities.setdefault(name.removeprefix(role), {})
        curves.setdefault(name, []).append((step, value))
    return quantities


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    stride = math.ceil(len(points) / MOST_POINTS)
    return points if stride < 2 else [*points[::stride], points[-1]]


def _of_points(quantity: str, curves: Curves) -> Figure:
    """Return the figure of metrics that were reported step by step; NaN and infinity are gaps."""
    series = [
        {
            "name": name,
            "x": [float(step) for step, _ in points],
            "y": [float(value) if math.isfinite(value) else None for _, value in points],
        }
        for name, points in ((name, _thinned(points)) for name, points in curves.items())
    ]
    unit = units.unit(quantity)
    y_unit = unit.name if unit.name and unit.scale == 1 else None
    axes = {"x": "step", "y": quantity or "value", "x_unit": None, "y_unit": y_unit}
    return {"kind": "curves", "name": quantity or "value", "series": series, **axes}


def kinds(found: Iterable[Section]) -> list[str]:
    """Return the kinds of the sections; the page needs their styles."""
    return sorted(section.kind for section in found)
