"""A model's predictions, one JSON object per line of predictions.jsonl: read while its stage runs or
after it, and shown as a table or as JSON.
"""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from engine import handles
from engine.wording import printable, table

Format = Literal["table", "json", "jsonl"]
Row = dict[str, Any]
_MOST_BYTES = 8_000_000  # read at once
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


def annotated(result: Path) -> list[Path]:
    """Return the pictures and videos that the stage annotated."""
    return sorted((result / "annotated").glob("*"))


def deliver(result: Path, output: Path) -> None:
    """Copy the annotated files to `output`: a single one as a file, several into a folder."""
    made = annotated(result)
    if len(made) == 1 and output.suffix == made[0].suffix:
        shutil.copyfile(made[0], output)
        return
    output.mkdir(parents=True, exist_ok=True)
    for path in made:
        shutil.copyfile(path, output / path.name)


class Lines:
    """Rows as lines of text, in portions; the columns of a table widen with their content."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._keys: list[str] = []
        self._widths: list[int] = []

    def of(self, found: list[Row]) -> list[str]:
        """Return the lines of these rows; the first call for a table begins with its header."""
        if self._form != "table":
            return [json.dumps(row) for row in found]
        cells = []
        if found and not self._keys:
            self._keys = list(found[0])
            cells.append(self._keys)
        cells += [_cells(row, self._keys) for row in found]
        before = [self._widths] if self._widths else []
        widths = [*before, *([len(cell) for cell in row] for row in cells)]
        self._widths = [max(column) for column in zip(*widths, strict=True)]
        return [self._aligned(row) for row in cells]

    def _aligned(self, cells: list[str]) -> str:
        padded = (c.ljust(width) for c, width in zip(cells, self._widths, strict=True))
        return "  ".join(padded).rstrip()


class Following:
    """The rows of a stage's output as text, while the stage writes them.

    Invalid lines are skipped; `rows` rejects them when the stage has ended.
    """

    def __init__(self, name: str, form: Format) -> None:
        self._name, self._lines = name, Lines(form)
        self._offset = 0

    def more(self, out: Path) -> list[str]:
        """Return lines for the rows added to `out`/<name of the output>/predictions.jsonl since the last
        call.
        """
        lines: list[str] = []
        with suppress(OSError):  # the stage has not written anything yet
            while added := self._added(out):
                for line in added.splitlines():
                    lines += self._lines.of(_row(line))
        return lines

    @property
    def has_begun(self) -> bool:
        """Return whether a row was read."""
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


def _row(line: bytes) -> list[Row]:
    """Return the row in a line; empty if the line is not a row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return [row] if isinstance(row, dict) else []


def _cells(row: Row, keys: list[str]) -> list[str]:
    return [_cell(row.get(key)) for key in keys]


def _cell(value: Any) -> str:
    """Return a value as text; empty for null, such as the time of a picture.

    The name of a user's file may contain line breaks and escape sequences.
    """
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
