"""Reads the files of a data set, in whichever format they are."""

import gzip
import re
from pathlib import Path

from engine.stage import StageError
from stages.media import kinds, splits
from stages.tabular.formats import _arff, _delimited, _json, _parquet, _sheet, _sqlite
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Sheet, Table
from stages.tasks.columns import delimited
from stages.tasks.text import encodings

MOST_BYTES = 500_000_000  # of a file
PACKED = ".gz"
TEXTS = (*delimited.SUFFIXES, *_json.SUFFIXES, *_arff.SUFFIXES)
TABLES = (*TEXTS, *_sqlite.SUFFIXES, *_parquet.SUFFIXES)
_NOTES = re.compile(r"(?:readme|licen[cs]e|notice|changelog|requirements)\b", re.IGNORECASE)
_HOW = "give a CSV, TSV, JSON lines, ARFF, Parquet or SQLite file, or a folder of them"
_WAYS_OUT = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), "save the sheet as CSV"),
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz"), "unpack it first"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a pickle can run any code: save it as CSV"),
}


def read(root: Path, query: str | None, header: bool | None, findings: Findings) -> Table:
    """Return the table in a file or folder; StageError: there is none."""
    base = root.parent if root.is_file() else root
    paths = [root] if root.is_file() else list(kinds.below(root))
    sheets: list[Sheet] = []
    for path in paths:
        name = path.relative_to(base).as_posix()
        found = _sheet_of(path, name, query, header, findings) if _is_table(path, root) else None
        if found is None:
            findings.add("ignored_files", name, _WAYS_OUT.get(path.suffix.lower(), ""))
            continue
        found.split = _split(path, base) if root.is_dir() else None
        sheets.append(found)
    if not sheets:
        hints = [_WAYS_OUT[one.suffix.lower()] for one in paths if one.suffix.lower() in _WAYS_OUT]
        raise StageError(f"{root.name} has no table: {hints[0] if hints else _HOW}")
    return _sheet.joined(sheets, findings)


def _is_table(path: Path, root: Path) -> bool:
    """Return whether a file's name is that of a table; a single file may have any other name."""
    suffix = _suffix(path)
    if path == root:
        return suffix not in _WAYS_OUT
    return suffix in TABLES and not _NOTES.match(path.stem)


def _suffix(path: Path) -> str:
    """Return the suffix in small letters, also of a packed file."""
    inner = path.with_suffix("") if path.suffix.lower() == PACKED else path
    return inner.suffix.lower()


def _sheet_of(
    path: Path, name: str, query: str | None, header: bool | None, findings: Findings
) -> Sheet | None:
    size = f"{MOST_BYTES // 1_000_000} MB"
    if path.stat().st_size > MOST_BYTES:
        raise StageError(f"{name} is larger than {size}: give a part of its rows")
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_sqlite.MAGIC):
        return _sqlite.read(path, name, query, findings)
    if head.startswith(_parquet.MAGIC):
        return _parquet.read(path, name, findings)
    if _suffix(path) in (*_sqlite.SUFFIXES, *_parquet.SUFFIXES):
        if not head:
            raise StageError(f"{name} is empty: write it again")
        raise StageError(
            f"{name} is damaged, or of another kind than its name says: write it again"
        )
    data = _content(path, name)
    text, encoding = encodings.decoded(data)
    if encoding != "utf-8":
        findings.add("recoded", name, encoding)
    return _of_text(delimited.unified(text), path, name, header, findings)


def _content(path: Path, name: str) -> bytes:
    if path.suffix.lower() != PACKED:
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise StageError(f"{name} cannot be unpacked: {error}; pack it again") from None
    if len(data) > MOST_BYTES:
        raise StageError(
            f"{name} is larger than {MOST_BYTES // 1_000_000} MB: give a part of its rows"
        )
    return data


def _of_text(
    text: str, path: Path, name: str, header: bool | None, findings: Findings
) -> Sheet | None:
    if _suffix(path) in _json.SUFFIXES:
        return _json.read(text, name, findings)
    if _suffix(path) in _arff.SUFFIXES:
        return _delimited.read(_arff.as_csv(text, name), name, True, findings)
    return _delimited.read(text, name, header, findings)


def _split(path: Path, base: Path) -> str | None:
    """Return the part that the file's name or its folder says: train.csv, test/wine.csv."""
    words = re.split(r"[^a-z]+", path.stem.casefold())
    folders = [one.casefold() for one in path.relative_to(base).parts[:-1]]
    return next(filter(None, map(splits.named, [*reversed(folders), *words])), None)
