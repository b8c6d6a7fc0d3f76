"""Reads a SQLite database: its only table, or what a SELECT statement returns. Nothing can be written.

Source: https://www.sqlite.org/c3ref/set_authorizer.html
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.stage import StageError
from stages.tabular.formats import _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Sheet
from stages.training.findings import listed

SUFFIXES = (".sqlite", ".sqlite3", ".db", ".db3")
MAGIC = b"SQLite format 3\0"
NAMED = 8  # maximum number of tables named in one sentence
_READ_ONLY = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)


def read(path: Path, file: str, query: str | None, findings: Findings) -> Sheet | None:
    """Return the rows; StageError: several tables and no query, or a query that fails."""
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.text_factory = lambda data: data.decode("utf-8", "replace")
            statement = query or _only_table(database, file)
            database.set_authorizer(_allow_reading)
            return _selected(database, statement, file, findings)
    except sqlite3.Error as error:
        if query:
            raise StageError(
                f"params.query fails in {file}: {error}; write one SELECT statement, such as "
                "SELECT * FROM readings"
            ) from None
        raise StageError(f"{file} cannot be read as a SQLite database: {error}") from None


def _allow_reading(action: int, *about: Any) -> int:
    return sqlite3.SQLITE_OK if action in _READ_ONLY else sqlite3.SQLITE_DENY


def _only_table(database: sqlite3.Connection, file: str) -> str:
    """Return a query for the only table. StageError: there is none, or more than one."""
    found = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    names = [str(name) for (name,) in found]
    if len(names) == 1:
        return f"SELECT * FROM {_quoted(names[0])}"
    if not names:
        raise StageError(f"{file} has no table: choose another file")
    raise StageError(
        f"{file} has {len(names)} tables ({listed(names, NAMED)}): choose one with params.query='SELECT * "
        f"FROM {names[0]}'"
    )


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _selected(
    database: sqlite3.Connection, statement: str, file: str, findings: Findings
) -> Sheet | None:
    cursor = database.execute(statement)
    if cursor.description is None:
        raise sqlite3.OperationalError("the statement returns no rows")
    names = _sheet.unique([one[0] for one in cursor.description], file, findings)
    rows = cursor.fetchall()
    columns = [[_sheet.text(cell) for cell in column] for column in zip(*rows, strict=True)]
    lines = range(1, len(rows) + 1)
    return Sheet(file, names, columns or [[] for _ in names], lines, unit="row")
