"""Reads CSV, TSV and the like, with or without a line of names."""

from collections import Counter
from collections.abc import Sequence

from engine.stage import StageError, note
from stages.media.unreadable import Unreadable
from stages.tabular.formats import _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Sheet
from stages.tasks.columns import cells, delimited
from stages.tasks.columns.delimited import Record

SUFFIXES = (*delimited.SUFFIXES, ".gz")
FEW_LINES, MOST_LINES = 5, 100  # of a cell; more of them are rows behind a quote that never ends
SAMPLE = 1000  # rows by which a line of names is recognised


def read(text: str, file: str, header: bool | None, findings: Findings) -> Sheet | None:
    """Return the cells of a text, or None if it has none.

    header: whether its first line has the names of the columns; None: found out. StageError: no row has
    as many cells as the others.
    """
    records = _records(text, file, findings)
    if not records:
        return None
    records = _below_title(records, file, findings)
    has_header = has_names(records) if header is None else header
    if header is None and not has_header:
        note(
            f"{file} has no line with the names of the columns: they are called 'column 1', 'column 2' ...; "
            "if its first line has names, set params.header=true"
        )
    below = records[1:] if has_header else records
    names = records[0].cells if has_header else []
    width = _width(names, below)
    if has_header:
        names = _header(names, width)
    rows = _regular(below, width, file, findings)
    if below and not rows:
        raise StageError(
            f"{file}: its first line has {len(records[0].cells)} cells, but those below have "
            f"{_usual(below)}: give every line the same number of cells"
        )
    across = zip(*(row.cells for row in rows), strict=True)
    columns = [[cell.strip() for cell in column] for column in across]
    names = _sheet.unique(names or [""] * width, file, findings)
    lines = [row.line for row in rows]
    return Sheet(file, names, columns or [[] for _ in names], lines, has_header)


def _records(text: str, file: str, findings: Findings) -> list[Record]:
    """Return the records; quotes mean nothing in a file where one of them never ends."""
    try:
        records = list(delimited.records(text))
        most = min(MOST_LINES, max(FEW_LINES, text.count("\n") // 5))
        if not any(cell.count("\n") > most for one in records for cell in one.cells):
            return records
    except Unreadable:
        pass
    try:
        records = list(delimited.records(text, has_quotes=False))
    except Unreadable as error:
        raise StageError(f"{file}: {error}") from None
    findings.add("stray_quotes", file)
    return records


def _below_title(records: list[Record], file: str, findings: Findings) -> list[Record]:
    """Return the records below lines with only one text, which spreadsheets have above a table."""
    first = 0
    if _usual(records) > 2:
        while first < len(records) - 1 and len(list(filter(str.strip, records[first].cells))) == 1:
            findings.add("broken_rows", f"{file}, line {records[first].line}", "a title")
            first += 1
    return records[first:]


def has_names(records: Sequence[Record]) -> bool:
    """Return whether the first record has the names of the columns.

    It has no numbers, but the records below do; or, if all are words, its words do not occur below.
    """
    first, below = records[0].cells, records[1 : SAMPLE + 1]
    plain = [cells.cleaned(cell) for cell in first]
    if any(_is_number(cell) or (cell and cells.is_missing(cell)) for cell in plain):
        return False
    whole = [one.cells for one in below if len(one.cells) == len(first)]
    columns = list(zip(*whole, strict=True))
    if any(_are_numbers(column) for column in columns):
        return True
    filled = [cells.key(cell) for cell in plain if cell]
    if len(set(filled)) < len(filled) / 2:
        return False
    again = [
        cells.key(name) in {cells.key(cell) for cell in column}
        for name, column in zip(plain, columns, strict=False)
        if name
    ]
    return not any(again)


def _is_number(text: str) -> bool:
    return any(cells.number(text, sign) is not None for sign in (cells.POINT, cells.COMMA))


def _are_numbers(column: Sequence[str]) -> bool:
    filled = [text for cell in column if not cells.is_no_number(text := cells.cleaned(cell))]
    return bool(filled) and sum(map(_is_number, filled)) >= 0.9 * len(filled)


def _usual(records: Sequence[Record]) -> int:
    return Counter(len(one.cells) for one in records).most_common(1)[0][0]


def _width(names: Sequence[str], below: Sequence[Record]) -> int:
    """Return the number of columns: that of the names, or one more if R wrote names of rows first."""
    if not names:
        return _usual(below)
    is_named = below and _usual(below) == len(names) + 1 and below[0].cells[-1].strip()
    return len(names) + 1 if is_named else len(names)


def _header(names: Sequence[str], width: int) -> list[str]:
    return ["row", *names] if len(names) < width else list(names)


def _regular(
    records: Sequence[Record], width: int, file: str, findings: Findings
) -> Sequence[Record]:
    """Return the rows with this number of cells; empty ones at the end do not count."""
    found = []
    for one in records:
        if len(one.cells) != width:
            count = len(one.cells)
            if count < width or any(map(str.strip, one.cells[width:])):
                findings.add(
                    "broken_rows", f"{file}, line {one.line}", f"{count} cells, not {width}"
                )
                continue
            one = Record(one.line, one.cells[:width])
        found.append(one)
    return found
