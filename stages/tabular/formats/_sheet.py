"""The cells of one file, and how the files of a data set become one table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches

from engine.stage import StageError
from stages.tabular.formats._findings import Findings
from stages.tasks.columns.cells import key
from stages.training.findings import listed

NAMED = 8  # maximum number of columns named in one sentence


@dataclass
class Sheet:
    """The columns of a file; lines: of each row, as a person counts them."""

    file: str
    names: list[str]
    columns: list[list[str]]
    lines: Sequence[int]
    has_header: bool = True
    split: str | None = None
    unit: str = "line"

    @property
    def rows(self) -> int:
        return len(self.lines)


@dataclass
class Table:
    """The rows of all files.

    names, columns: of the columns, and their cells as text without spaces at the ends
    splits:         of each row, what its file says: train, val, test or None
    """

    names: list[str]
    columns: list[list[str]]
    has_header: bool
    splits: list[str | None]
    sheets: list[Sheet] = field(repr=False)

    @property
    def rows(self) -> int:
        return len(self.splits)

    def column(self, name: str) -> list[str]:
        return self.columns[self.names.index(name)]

    def place(self, row: int) -> str:
        """Return where a row is written."""
        for sheet in self.sheets:
            if row < sheet.rows:
                return f"{sheet.file}, {sheet.unit} {sheet.lines[row]}"
            row -= sheet.rows
        raise IndexError(row)


def joined(sheets: Sequence[Sheet], findings: Findings) -> Table:
    """Return one table of the files with the same columns, of those that have most rows.

    StageError: another file is a part of the table too, but lacks a column or has one more.
    """
    rows: Counter[frozenset[str]] = Counter()
    for sheet in sheets:
        rows[_kind(sheet)] += sheet.rows
    chosen = max(rows, key=lambda kind: rows[kind])
    first = next(one for one in sheets if _kind(one) == chosen)
    used = [one for one in sheets if _kind(one) == chosen]
    for one in sheets:
        if one not in used:
            _refuse_part(used, one)
            findings.add("ignored_files", one.file, _difference(first, one))
    used.sort(key=lambda one: one.split not in (None, "train"))  # the order of training's columns
    first = used[0]
    names, columns = first.names, [list(cells) for cells in first.columns]
    for sheet in used[1:]:
        places = {key(name): at for at, name in enumerate(sheet.names)}
        for name, cells in zip(names, columns, strict=True):
            cells += sheet.columns[places[key(name)]]
    splits = [sheet.split for sheet in used for _ in sheet.lines]
    if not splits:
        raise StageError(f"{first.file} has no rows: add some below the names of the columns")
    return Table(names, columns, first.has_header, splits, used)


def unique(names: Sequence[str], file: str, findings: Findings) -> list[str]:
    """Return names without repetition, and a name for each column that has none."""
    found: list[str] = []
    known: set[str] = set()
    for at, name in enumerate(names, 1):
        plain = " ".join(name.split()) or f"column {at}"
        new, count = plain, 1
        while key(new) in known:
            count += 1
            new = f"{plain} ({count})"
        if new != plain:
            findings.add("repeated_names", f"{file}: {new}")
        known.add(key(new))
        found.append(new)
    return found


def text(value: object) -> str:
    """Return a cell of a file with types as it would be written in CSV."""
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def short(text: str) -> str:
    """Return the beginning of a long cell, for a message."""
    return text if len(text) <= 40 else f"{text[:37]}..."


def _kind(sheet: Sheet) -> frozenset[str]:
    return frozenset(map(key, sheet.names))


def _refuse_part(used: Sequence[Sheet], other: Sheet) -> None:
    """Raise StageError if a file that cannot be joined is a part of the table, not about something else.

    It is one if it is named train or test beside files that are, or if it has half of their columns.
    """
    first = next((one for one in used if one.split), used[0])
    ours, theirs = _kind(first), _kind(other)
    is_named = bool(first.split and other.split)
    if not is_named and 2 * len(ours & theirs) < max(len(ours), len(theirs)):
        return
    for one, than in ((other, first), (first, other)):
        known = _kind(one)
        lacking = [name for name in than.names if key(name) not in known]
        if lacking:
            raise StageError(_lacks(one, than, lacking, other.file))


def _lacks(one: Sheet, than: Sheet, lacking: Sequence[str], removable: str) -> str:
    known = _kind(than)
    others = [name for name in one.names if key(name) not in known]
    near = get_close_matches(lacking[0], others, 1)
    add = f"rename its '{near[0]}'" if near else "add it" if len(lacking) == 1 else "add them"
    columns = "column" if len(lacking) == 1 else f"{len(lacking)} columns"
    return (
        f"{one.file} lacks the {columns} {listed(lacking, NAMED)} of {than.file}: {add}, or move {removable} "
        "out of the folder"
    )


def _difference(first: Sheet, other: Sheet) -> str:
    ours, theirs = _kind(first), _kind(other)
    lacking = [name for name in first.names if key(name) not in theirs]
    if lacking:
        return f"it lacks the column {listed(lacking, NAMED)} of {first.file}"
    more = [name for name in other.names if key(name) not in ours]
    return f"{first.file} lacks its column {listed(more, NAMED)}"
