"""Reads CSV text: separated by commas, semicolons or tabs, with quoted line breaks, whatever the letter case
of the column names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Dict, List, Mapping, Sequence, Tuple

from stages.media.unreadable import Unreadable

COLUMNS: Mapping[str, Sequence[str]] = {  # the name, and those of other tools
    "text": ("text", "sentence", "utterance", "query", "question", "pattern", "message", "phrase"),
    "intent": ("intent", "label", "category", "class", "tag", "intentname", "labeltext"),
    "split": ("split", "set", "subset", "part"),
    "response": ("response", "answer", "reply"),
}
Row = Dict[str, str]


class Lacking(Unreadable):
    """The table has other columns: it may be about something else."""


def rows(text: str, *needed: str) -> Iterator[Tuple[int, Row]]:
    """Yield each row by the names of COLUMNS, with the number of its last line.

    Lacking: the first line lacks a needed column; Unreadable: a quoted text ends elsewhere than its cell.
    """
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    source = io.StringIO(text.replace("\0", ""), newline="")
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    first = 1  # line of the row
    names: List[str] = []
    try:
        for cells in reader:
            first = reader.line_num + 1
            if not any(map(str.strip, cells)):
                continue
            if names:
                yield reader.line_num, _row(names, cells)
                continue
            names = _names(cells)
            if lacking := [one for one in needed if one not in names]:
                raise Lacking(
                    f"its first line is '{header.strip()[:100]}', without the column "
                    f"{' and '.join(lacking)}; write {','.join(needed)} there"
                )
    except csv.Error as error:
        raise Unreadable(f"line {reader.line_num}: {_explained(str(error), first)}") from None


def sentences(text: str) -> Iterator[str]:
    """Yield the column `text`; Unreadable: there is none."""
    return (row["text"] for _, row in rows(text, "text"))


def _explained(error: str, first: int) -> str:
    """Return what is wrong in the row that begins in line `first`, and what to write."""
    if error == "unexpected end of data":
        return f"the quoted text of the row in line {first} never ends: close or remove its quote"
    if "expected after" in error:
        return f'{error}: write a quote inside a quoted text twice, as in "a ""nice"" table"'
    return error


def _names(header: Sequence[str]) -> List[str]:
    """Return the name in COLUMNS of each column, empty if it is unknown or repeated."""
    known = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
    found: List[str] = []
    for cell in header:
        name = known.get("".join(filter(str.isalnum, cell.casefold())), "")
        found.append("" if name in found else name)
    return found


def _row(names: Sequence[str], cells: Sequence[str]) -> Row:
    row = {name: cell.strip() for name, cell in zip(names, cells) if name}
    return {name: row.get(name, "") for name in COLUMNS}
