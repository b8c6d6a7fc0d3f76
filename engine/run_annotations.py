"""What people add to a run after it was planned: notes and tags, in annotations.jsonl of its folder.

The file is append-only, and each line is durable before the command ends. Like a journal it has one
JSON object per line: `v`, `time`, and either `note` (a text) or `tag` (a key) with `value` (null: removed).
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import handles
from engine.errors import UserError, did_you_mean
from engine.jsontypes import TEXT_MOST, well_formed
from engine.wording import moment, printable

FILE_NAME = "annotations.jsonl"
_VERSION = 1
_MOST_BYTES = 64_000_000
_KEY = re.compile(r"[^\W\d_][\w.-]{0,99}")
_OURS = ("mlflow.", "rpi.")  # tags that MLflow and the engine set
_OUR_KEYS = ("status",)
_LONGEST_VALUE = 1000


@dataclass(frozen=True, slots=True)
class Annotations:
    """The notes of a run, oldest first, each with its time, and its tags."""

    notes: list[tuple[float, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.notes or self.tags)

    def as_json(self) -> dict[str, Any]:
        """Return the annotations as plain data."""
        return {"notes": [{"time": t, "text": text} for t, text in self.notes], "tags": self.tags}


def read(run_dir: Path) -> Annotations:
    """Return the run's annotations; a line that is not one of them is ignored."""
    found = Annotations()
    for line in _lines(run_dir):
        if isinstance(line.get("note"), str):
            found.notes.append((_moment(line), line["note"]))
        elif isinstance(line.get("tag"), str) and isinstance(line.get("value"), str):
            found.tags[line["tag"]] = line["value"]
        elif isinstance(line.get("tag"), str):
            found.tags.pop(line["tag"], None)
    return found


def lines(found: Annotations) -> list[str]:
    """Return a line for all tags, and one for each note."""
    tags = ", ".join(f"{key}={value}" for key, value in found.tags.items())
    notes = [f"note: {' '.join(text.split())} ({moment(time_s)})" for time_s, text in found.notes]
    return [*map(printable, [*([f"tags: {tags}"] if tags else []), *notes])]


def removed(run_dir: Path) -> set[str]:
    """Return the tags that the run once had, and has no longer."""
    named = {line["tag"] for line in _lines(run_dir) if isinstance(line.get("tag"), str)}
    return named - read(run_dir).tags.keys()


def size_bytes(run_dir: Path) -> int:
    """Return the size of the file, by which readers notice additions; 0 if there is none."""
    try:
        return (run_dir / FILE_NAME).stat().st_size
    except OSError:
        return 0


def add_note(run_dir: Path, text: str) -> None:
    """Append a note; raise UserError if it is empty or too long."""
    words = well_formed(text).strip()
    if not words or len(words) > TEXT_MOST:
        what = f"the text is longer than {TEXT_MOST} characters" if words else "the text is missing"
        raise UserError("note", what, 'write: python run.py note RUN "text"')
    _append(run_dir, {"note": words})


def add_tags(run_dir: Path, tags: Mapping[str, str]) -> None:
    """Set tags; an empty value removes the tag. Raise UserError for an invalid or unknown key."""
    present = read(run_dir).tags
    for key, value in tags.items():
        _check_tag(key, value, present)
    _append(run_dir, *({"tag": key, "value": value or None} for key, value in tags.items()))


def _check_tag(key: str, value: str, present: Mapping[str, str]) -> None:
    where = f"{key}={value}"
    if not _KEY.fullmatch(key):
        what, fix = (
            "this is not a key of a tag",
            "begin with a letter; use letters, digits, and _ . -",
        )
        raise UserError(where, what, fix)
    if key.startswith(_OURS) or key in _OUR_KEYS:
        raise UserError(
            where, "MLflow or the engine sets this tag", f"choose another key: my.{key}"
        )
    if len(value) > _LONGEST_VALUE:
        what = f"the value is longer than {_LONGEST_VALUE} characters"
        raise UserError(f"{key}=...", what, "write the text as a note")
    if not value and key not in present:
        raise UserError(where, "the run has no such tag", did_you_mean(key, present))


def _append(run_dir: Path, *entries: Mapping[str, Any]) -> None:
    """Append the entries, with one write and one fsync."""
    stamp = {"v": _VERSION, "time": time.time()}
    lines = [json.dumps({**stamp, **entry}, ensure_ascii=False) for entry in entries]
    data = "".join(f"{well_formed(line)}\n" for line in lines).encode()
    path = run_dir / FILE_NAME
    is_torn = _is_torn(path)  # by a crash while it was written
    with open(handles.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "wb") as file:
        file.write(b"\n" + data if is_torn else data)
        file.flush()
        os.fsync(file.fileno())


def _is_torn(path: Path) -> bool:
    try:
        data = handles.read(path, _MOST_BYTES)
    except FileNotFoundError:
        return False
    return bool(data) and not data.endswith(b"\n")


def _lines(run_dir: Path) -> Iterator[dict[str, Any]]:
    try:
        data = handles.read(run_dir / FILE_NAME, _MOST_BYTES)
    except OSError:
        return
    for text in data.decode("utf-8", "replace").splitlines():
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _moment(line: Mapping[str, Any]) -> float:
    time_s = line.get("time")
    return float(time_s) if isinstance(time_s, int | float) else 0.0
