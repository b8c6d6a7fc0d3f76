"""Reads JSON: a list of objects, or an object on each line."""

import json
from typing import Any

from engine.stage import StageError
from stages.media.unreadable import Unreadable
from stages.tabular.formats import _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Sheet
from stages.tasks.columns import reading

SUFFIXES = reading.JSON


def read(text: str, file: str, findings: Findings) -> Sheet | None:
    """Return the rows, or None if the file is about something else; a key is the name of a column."""
    rows: list[dict[str, Any]] = []
    try:
        for where, one in reading.objects(text):
            if isinstance(one, dict):
                rows.append(one)
            else:
                findings.add("broken_rows", f"{file}, {where}", "it is no object")
    except Unreadable as error:
        raise StageError(f"{file}: {error}") from None
    if not rows:
        return None
    if len(rows) == 1 and all(isinstance(value, dict | list) for value in rows[0].values()):
        raise StageError(
            f"{file} has one object with columns, not rows: write a list with an object for each row, as "
            "pandas does with to_json(orient='records')"
        )
    keys = list(dict.fromkeys(key for row in rows for key in row))
    columns = [[_text(row.get(key)) for row in rows] for key in keys]
    names = _sheet.unique(keys, file, findings)
    return Sheet(file, names, columns, range(1, len(rows) + 1), unit="row")


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return _sheet.text(value)
