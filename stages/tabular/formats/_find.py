"""Reads the files of a data set, in whichever format they are."""

import re
from pathlib import Path

from engine.stage import StageError
from stages.media import kinds, splits
from stages.tabular.formats import _delimited, _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Sheet, Table
from stages.tasks.columns import delimited

MOST_BYTES = 500_000_000  # of a file
_NOTES = re.compile(r"(?:readme|licen[cs]e|notice|changelog|requirements)\b", re.IGNORECASE)
_HOW = (
    "give a CSV, TSV, Parquet or SQLite file, or a folder of them; save a sheet of Excel or LibreOffice as "
    "CSV"
)


def read(root: Path, query: str | None, header: bool | None, findings: Findings) -> Table:
    """Return the table in a file or folder; StageError: there is none."""
    base = root.parent if root.is_file() else root
    paths = [root] if root.is_file() else list(kinds.below(root))
    sheets: list[Sheet] = []
    for path in paths:
        name = path.relative_to(base).as_posix()
        is_other = root.is_dir() and _NOTES.match(path.stem)
        found = None if is_other else _sheet_of(path, name, query, header, findings)
        if found is None:
            findings.add("ignored_files", name)
            continue
        found.split = _split(path, base) if root.is_dir() else None
        sheets.append(found)
    if not sheets:
        raise StageError(f"{root.name} has no table: {_HOW}")
    return _sheet.joined(sheets, findings)


def _sheet_of(
    path: Path, name: str, query: str | None, header: bool | None, findings: Findings
) -> Sheet | None:
    if path.suffix.lower() in _delimited.SUFFIXES:
        text = delimited.text_of(path.read_bytes(), name)
        return _delimited.read(text, name, header, findings)
    return None


def _split(path: Path, base: Path) -> str | None:
    """Return the part that the file's name or its folder says: train.csv, test/wine.csv."""
    words = re.split(r"[^a-z]+", path.stem.casefold())
    folders = [one.casefold() for one in path.relative_to(base).parts[:-1]]
    return next(filter(None, map(splits.named, [*reversed(folders), *words])), None)
