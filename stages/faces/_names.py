"""The form in which names of people are compared, and where an artifact has them."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.stage.names import is_hidden
from stages.media import kinds
from stages.tasks.faces import UNKNOWN

_MOST_BYTES = 1 << 26  # of a file that may be a report


def normal(name: str) -> str:
    """Return one form of a name, however a file system or a keyboard composes its letters."""
    return unicodedata.normalize("NFC", name).strip()


def named(artifact: Path) -> "set[str]":
    """Return the people whose names an artifact has, in their normal form.

    These are the lines of labels.txt; `labels` and `names` of truth.json, as a picture's name begins with
    its person's: "Ada/1.jpg"; the names in the answers of a report; and the folders of a folder of people.
    """
    if not artifact.is_dir():
        found = _answered(artifact)
    else:
        found = [*_listed(artifact), *_true(artifact), *_folders(artifact)]
    return {name for one in found if (name := normal(one))}


def _listed(artifact: Path) -> "Iterator[str]":
    for path in artifact.rglob("labels.txt"):
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()


def _true(artifact: Path) -> "Iterator[str]":
    for path in artifact.rglob("truth.json"):
        truth = _parsed(path)
        yield from _texts(truth, "labels")
        for picture in _texts(truth, "names"):
            person, slash, _ = picture.partition("/")
            if slash:
                yield person


def _answered(report: Path) -> "list[str]":
    rows = [row for answer in _list(_parsed(report), "answers") for row in _list(answer, "rows")]
    names = [_get(row, "name") for row in rows]
    return [name for name in names if isinstance(name, str) and name != UNKNOWN]


def _folders(artifact: Path) -> "list[str]":
    """Return the names of the folders if all are folders with pictures, as in a folder of people."""
    entries = [path for path in artifact.iterdir() if not is_hidden(path.name)]
    is_of_people = all(
        path.is_dir() and any(map(kinds.is_picture, kinds.below(path))) for path in entries
    )
    return [path.name for path in entries] if is_of_people else []


def _parsed(path: Path) -> Any:
    """Return JSON data, or None; the store's files have no suffix, so that the content decides."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: Any, key: str) -> "list[Any]":
    found = _get(value, key)
    return found if isinstance(found, list) else []


def _texts(value: Any, key: str) -> "list[str]":
    return [one for one in _list(value, key) if isinstance(one, str)]
