"""`compare RUN RUN ...`: show what differs between runs: parameters, data, source, environment, metrics.

A run is a name, an id, the beginning of an id, or latest. The first run is the one that the others are
compared with. format=html also draws the figures side by side.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from engine import layout, ordinary, run_names
from engine.durable import write_whole
from engine.errors import UserError
from engine.options import CommandOptions, Words
from engine.report import side_by_side
from engine.report.side_by_side import Row, Sheet
from engine.request import Request
from engine.store import Store
from engine.wording import as_typed, duration, moment, printable, table

FOLDER = "comparisons"  # in outputs/
_LONGEST_NAME = 150  # characters of a file name
_WIDEST = 44  # characters of a value
_ORDER = ("run", "parameters", "data", "source", "environment", "stages", "metrics")


class Options(CommandOptions):
    """The options of `compare`."""

    MORE = "runs"

    runs: Words = Field(
        (),
        description="two or more runs; also as words: compare RUN RUN, such as compare latest my-first",
    )
    all: bool = Field(False, description="also show what is the same")
    format: Literal["table", "json", "html"] = Field("table", description="table, json or html")
    output: str | None = Field(
        None, description="the file for format=html; null: a file in outputs/comparisons"
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Print what differs, or write a page and print its path."""
    sheet = _sheet(request)
    if request.options.format == "json":
        print(json.dumps(side_by_side.as_json(sheet, request.options.all), indent=2))
    elif request.options.format == "html":
        print(as_typed(_written(request, sheet)))
    else:
        for line in "\n".join(_lines(sheet, request.options.all)).splitlines():
            print(printable(line))
    return 0, None


def _sheet(request: Request[Options]) -> Sheet:
    words = request.options.runs
    if len(words) < 2:
        what = f"compare needs two runs (it has {len(words)})"
        raise UserError("compare", what, "write: python run.py compare RUN RUN; list them: runs")
    named = {word.partition("=")[0] for word in request.choices_given}
    usecase = request.usecase.name if "usecase" in named else None
    target = request.target.name if "target" in named else None
    run_dirs = [run_names.find(request.outputs, word, usecase, target) for word in words]
    if request.options.format != "table":
        for run_dir in run_dirs:
            print(f"run {run_names.label(run_dir)}", file=sys.stderr)
    store = Store(layout.store_dir(request.outputs))
    return side_by_side.sheet([side_by_side.side(run_dir, store) for run_dir in run_dirs])


def _lines(sheet: Sheet, is_whole: bool) -> Iterator[str]:
    """Yield the text: the runs, what differs, and what is the same."""
    for one in sheet.sides:
        start = one.state.start
        took = duration(one.state.seconds)
        about = f"{start.get('usecase')} on {start.get('target')}, {one.state.status}"
        yield (
            f"{run_names.label(one.run_dir)}: {about}{f' after {took}' if took else ''}, "
            + moment(start.get("time", 0.0))
        )
    for note in sheet.notes:
        yield f"note: {note}"
    headings = [one.heading for one in sheet.sides]
    for name in _ORDER:
        rows = sheet.sections[name] if is_whole else sheet.telling(name)
        if rows:
            yield ""
            yield table([[name, *headings, ""], *map(_cells, rows)])
    yield from _closing(sheet, is_whole)


def _closing(sheet: Sheet, is_whole: bool) -> Iterator[str]:
    """Yield what is not shown."""
    if not any(row.differs for rows in sheet.sections.values() for row in rows):
        yield "\nthe runs do not differ"
    if is_whole:
        return
    same = {name: sum(not row.differs for row in sheet.sections[name]) for name in _ORDER}
    partial = {name: len(sheet.partial(name)) for name in _ORDER}
    yield ""
    for words, counts in (("only in some of the runs", partial), ("the same", same)):
        if any(counts.values()):
            listed = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
            yield f"{words}: {listed} (to show them: all=true)"


def _cells(row: Row) -> list[str]:
    mark = "" if row.differs else "same"
    return [f"  {row.name}", *map(_cut, row.shown), " ".join(row.remark.split()) or mark]


def _cut(text: str) -> str:
    text = " ".join(text.split())  # every terminal can show these spaces
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _written(request: Request[Options], sheet: Sheet) -> Path:
    """Write the page, and return its path."""
    from engine.report import compare_page  # heavy

    names = "_".join(re.sub(r"[^\w.+-]", "-", one.heading) for one in sheet.sides)
    default = request.outputs / FOLDER / f"{names[:_LONGEST_NAME]}.html"
    path = Path(request.options.output) if request.options.output else default
    with ordinary.writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, compare_page.render(sheet, path.parent).encode(), durable=False)
    return path
