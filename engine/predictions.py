"""A model's predictions, one JSON object per line of predictions.jsonl: read while its stage runs or
after it, and shown as a table or as JSON.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from engine import handles
from engine.wording import table

Format = Literal["table", "json", "jsonl"]
Row = dict[str, Any]
_MOST_BYTES = 8_000_000  # that are read at once
FILE = "predictions.jsonl"


def rows(result: Path) -> list[Row] | None:
    """Return the predictions of the stage, or None if they cannot be read."""
    try:
        lines = (result / FILE).read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError):
        return None
    return found if all(isinstance(row, dict) for row in found) else None


def shown(found: list[Row], form: Format) -> str:
    """Return all rows as text."""
    if form != "table":
        return "\n".join(map(json.dumps, found))
    if not found:
        return "nothing was recognised"
    keys = list(found[0])
    return table([keys, *(_cells(row, keys) for row in found)])


class Following:
    """The rows of a stage's output as text, while the stage writes them.

    The columns of a table widen with their content. Invalid lines are skipped: `rows` refuses them
    when the stage has ended.
    """

    def __init__(self, name: str, form: Format) -> None:
        self._name, self._form = name, form
        self._offset = 0
        self._keys: list[str] = []
        self._widths: list[int] = []

    def more(self, out: Path) -> list[str]:
        """Return lines for the rows added to `out`/<name of the output>/predictions.jsonl since the last
        call.
        """
        lines: list[str] = []
        with suppress(OSError):  # the stage has not written anything yet
            while added := self._added(out):
                lines += [text for line in added.splitlines() for text in self._shown(line)]
        return lines

    @property
    def has_begun(self) -> bool:
        """Return whether there was a row."""
        return self._offset > 0

    def _added(self, out: Path) -> bytes:
        """Return the next complete lines."""
        with (
            handles.folder(out) as folder,
            handles.folder(self._name, at=folder) as result,
            open(handles.open_file(FILE, at=result), "rb") as file,
        ):
            file.seek(self._offset)
            data = file.read(_MOST_BYTES)
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return data

    def _shown(self, line: bytes) -> list[str]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if not isinstance(row, dict):
            return []
        if self._form != "table":
            return [json.dumps(row)]
        if self._keys:
            return [self._aligned(_cells(row, self._keys))]
        self._keys = list(row)
        cells = _cells(row, self._keys)
        self._widths = list(map(len, cells))
        return [self._aligned(self._keys), self._aligned(cells)]

    def _aligned(self, cells: list[str]) -> str:
        self._widths = [max(width, len(c)) for width, c in zip(self._widths, cells, strict=True)]
        padded = (c.ljust(width) for c, width in zip(cells, self._widths, strict=True))
        return "  ".join(padded).rstrip()


def _cells(row: Row, keys: list[str]) -> list[str]:
    return [_cell(row.get(key)) for key in keys]


def _cell(value: Any) -> str:
    """Return a value as text; nothing for null, such as the time of a picture."""
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
