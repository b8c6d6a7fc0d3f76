"""Reads text with separated cells: commas, semicolons, tabs, vertical bars or spaces, with or without quotes.

A line `sep=;`, which Excel writes, and lines that begin with # above the table are not part of it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from engine.stage import note
from stages.media.unreadable import Unreadable
from stages.tasks.text import reading

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
SPACES = " "  # any number of them
DELIMITERS = ("\t", ";", "|", ",", SPACES)  # in this order if several fit
SAMPLE = 200  # records from which the delimiter is found
_SHARE = 0.9  # of the records that have the same number of cells


class Record(NamedTuple):
    """The cells of a row, and the number of its last line."""

    line: int
    cells: List[str]


def text_of(data: bytes, name: str) -> str:
    """Return a file's text with line feeds only; a note says if it is neither UTF-8 nor UTF-16."""
    text = reading.decoded(data)
    if text is None:
        note(f"{name} is not UTF-8: read as Western European ({reading.WESTERN})")
        text = data.decode(reading.WESTERN, errors="replace").replace("\0", "")
    return unified(text)


def unified(text: str) -> str:
    """Return text without a byte order mark, and with line feeds only."""
    text = text[1:] if text.startswith("\ufeff") else text
    return text.replace("\r\n", "\n").replace("\r", "\n")


def records(
    text: str, delimiter: "Optional[str]" = None, has_quotes: bool = True
) -> Iterator[Record]:
    """Yield the records of a text without empty ones; Unreadable: a cell is too long for a text.

    delimiter: one of DELIMITERS; None: found out; has_quotes: false: a quote is a character like others
    """
    if delimiter is None:
        delimiter = sniffed(text, has_quotes=has_quotes)
    body, skipped = _body(text)
    for line, found in _parsed(body, delimiter, has_quotes):
        if any(cell and not cell.isspace() for cell in found):
            yield Record(line + skipped, found)


def sniffed(
    text: str, fits: "Callable[[Sequence[str]], int]" = lambda cells: 0, has_quotes: bool = True
) -> str:
    """Return the delimiter of a text.

    fits: how well the cells of the first record fit what is expected; the best fit has it; has_quotes:
    as in `records`
    """
    body, _ = _body(text)
    said = _said(text)
    if said:
        return said
    head = "".join(body.splitlines(True)[: 2 * SAMPLE])
    return max(DELIMITERS, key=lambda one: _quality(head, one, fits, has_quotes))


def _quality(
    head: str, delimiter: str, fits: "Callable[[Sequence[str]], int]", has_quotes: bool
) -> "Tuple[int, bool, int, int]":
    found = [
        cells for _, cells in _parsed(head, delimiter, has_quotes) if any(map(str.strip, cells))
    ]
    if not found:
        return 0, False, 0, 0
    ((width, count),) = Counter(map(len, found[:SAMPLE])).most_common(1)
    is_regular = width > 1 and count >= _SHARE * len(found[:SAMPLE])
    order = -DELIMITERS.index(delimiter)
    if is_regular:
        return fits(found[0]), True, order, width
    return fits(found[0]), False, 0 if width > 1 else -1, width


def _parsed(
    text: str, delimiter: str, has_quotes: bool = True
) -> "Iterator[Tuple[int, List[str]]]":
    """Yield the number of the last line, and the cells, of each record."""
    if delimiter == SPACES:
        text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        skipinitialspace=delimiter != "\t",  # 1, "a"
        quoting=csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE,
    )
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        why = "shorten it, or close its quote" if has_quotes else "shorten it"
        most = csv.field_size_limit()
        what = f"line {reader.line_num} has a cell of more than {most} characters: {why}"
        raise Unreadable(what) from error


def _said(text: str) -> str:
    """Return the delimiter that the first line names, or an empty text."""
    first = text.partition("\n")[0].strip('"')
    return first[4:] if len(first) == 5 and first.startswith("sep=") else ""


def _body(text: str) -> "Tuple[str, int]":
    """Return the text below lines that are not part of the table, and the number of these lines."""
    skipped = 1 if _said(text) else 0
    rest = text.partition("\n")[2] if skipped else text
    while True:
        line, _, below = rest.partition("\n")
        if not below or (line.strip() and not line.startswith("#")):
            return rest, skipped
        rest, skipped = below, skipped + 1
