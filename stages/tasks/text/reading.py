"""Reads the sentences of a user's file: text, one on each line, or a CSV with a column `text`.

Text is UTF-8 or UTF-16. Anything else is read as Western European; only the build machine, which sees
whole data sets, can tell other encodings (stages.text.formats).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from engine.stage import note
from stages.media.unreadable import Unreadable
from stages.tasks.text import table

MOST_BYTES = 100_000_000  # of a file
TEXTS, TABLES = (".txt", ".text"), (".csv", ".tsv")
WESTERN = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_readable(path: Path) -> bool:
    """Return whether the file has the suffix of a file of sentences."""
    return path.suffix.lower() in (*TEXTS, *TABLES)


def sentences(path: Path) -> Iterator[str]:
    """Yield the sentences of a file in order, without empty ones; Unreadable: it has none."""
    text = _text(path)
    lines = table.sentences(text) if path.suffix.lower() in TABLES else text.splitlines()
    found = False
    for line in lines:
        if line.strip():
            found = True
            yield line.strip()
    if not found:
        raise Unreadable("it contains no sentence")


def decoded(data: bytes) -> Optional[str]:
    """Return text in UTF-8 or UTF-16, with or without a byte order mark; None if it is in neither.

    Invisible NUL characters are left out.
    """
    try:
        return data.decode(encoding(data)).replace("\0", "")
    except ValueError:
        return None


def encoding(data: bytes) -> str:
    """Return the encoding that the text has if it is Unicode.

    UTF-16 without a mark is assumed if a quarter of the bytes are NUL: half of them are in English, and
    fewer in other languages and with emoji.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if marked or 4 * data.count(0) < max(1, len(data)):
        return marked or "utf-8"
    return "utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be"


def _text(path: Path) -> str:
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    data = path.read_bytes()
    text = decoded(data)
    if text is None:
        note(f"{path.name} is not UTF-8: read as Western European ({WESTERN})")
        text = data.decode(WESTERN, errors="replace").replace("\0", "")
    return text
