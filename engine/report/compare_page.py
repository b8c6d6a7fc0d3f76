"""The page of `compare format=html`: the differences, and the figures of the runs side by side.

The page is self-contained: no script, font or picture from elsewhere.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine import figure_kinds, figure_page
from engine.drawing import page
from engine.figure_kinds import Figure
from engine.report import charts
from engine.report.side_by_side import NO_OVERLAP, Sheet, Side
from engine.wording import command_line, duration, moment

MOST_FIGURES = 40  # of each run


@dataclass(frozen=True, slots=True)
class Drawn:
    """One figure, as each run has it; empty if it has none."""

    title: str
    drawings: Sequence[str]


def render(sheet: Sheet, folder: Path) -> str:
    """Return the page; folder: where it is written, from which its links lead to the runs' reports."""
    figures = list(_figures(sheet.sides))
    kinds = sorted(
        {figure["kind"] for one in sheet.sides for _, figure in charts.figures(one.state)}
    )
    view = {
        "sides": [_described(one, folder) for one in sheet.sides],
        "notes": sheet.notes,
        "sections": {name: sheet.telling(name) for name in sheet.sections},
        "partial": {name: sheet.partial(name) for name in sheet.sections},
        "same": {
            name: [row for row in rows if not row.differs] for name, rows in sheet.sections.items()
        },
        "figures": figures[:MOST_FIGURES],
        "left_out": max(0, len(figures) - MOST_FIGURES),
        "style": figure_page.style(kinds),
        "policy": figure_page.POLICY,
        "no_overlap": NO_OVERLAP,
    }
    text: str = _template().render(view)
    return text


def _described(one: Side, folder: Path) -> dict[str, Any]:
    report = one.run_dir / "report.html"
    address = quote(os.path.relpath(report, folder)) if report.exists() else ""
    start = one.state.start
    return {
        "heading": one.heading,
        "id": one.run_dir.name,
        "about": f"{start.get('usecase')} on {start.get('target')}",
        "status": one.state.status,
        "began": moment(start.get("time", 0.0)),
        "took": duration(one.state.seconds),
        "command": command_line(one.state),
        "report": address,
    }


def _figures(sides: Sequence[Side]) -> Iterator[Drawn]:
    """Yield the figures that any of the runs has, in the order of the first run that has it."""
    found = [_by_title(one) for one in sides]
    for title in dict.fromkeys(title for one in found for title in one):
        drawings = iter(figure_page.alike([one[title] for one in found if title in one]))
        yield Drawn(title, [next(drawings) if title in one else "" for one in found])


def _by_title(one: Side) -> dict[str, Figure]:
    """Return a run's figures by stage, kind and name; a later one replaces an earlier one."""
    return {
        f"{stage}: {figure['name']} ({figure_kinds.of(figure['kind']).HEADING.lower()})": figure
        for stage, figure in charts.figures(one.state)
    }


@cache
def _template() -> Any:
    return page.template(Path(__file__).with_suffix(".html.j2"), {})
