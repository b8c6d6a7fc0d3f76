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


def rows(text: str, *needed: str) -> Iterator[Tuple[int, Row]]:
    """Yield each row by the names of COLUMNS, with the number of its last line.

    Unreadable: the first line lacks a needed column, or a quote is never closed.
    """
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter)
    names: List[str] = []
    try:
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if names:
                yield reader.line_num, _row(names, cells)
                continue
            names = _names(cells)
            if lacking := [one for one in needed if one not in names]:
                raise Unreadable(
                    f"its first line is '{header.strip()[:100]}', without the column "
                    f"{' and '.join(lacking)}; write {','.join(needed)} there"
                )
    except csv.Error as error:
        raise Unreadable(f"line {reader.line_num}: {error}") from None


def sentences(text: str) -> Iterator[str]:
    """Yield the column `text`; Unreadable: there is none."""
    return (row["text"] for _, row in rows(text, "text"))


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
