"""A persistent cache, in one JSON file, of values that are slow to compute from their keys.

Losing the file costs only time; a damaged file is treated as missing.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import handles
from engine.durable import write_whole

_MOST_BYTES = 50_000_000
MOST_ENTRIES = 2000  # beyond this, entries that this run did not use are dropped


class Memo:
    """One cache file, for one version of the code that computes its values."""

    def __init__(self, path: Path | None, version: str) -> None:
        self._path, self._version = path, version
        self._values: dict[str, object] = {}
        self._used: set[str] = set()
        self._is_changed = False
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            found = json.loads(handles.read(path, _MOST_BYTES)) if path else {}
            is_whole = found["version"] == version and found["sha256"] == _digest(found["values"])
            self._values = dict(found["values"]) if is_whole else {}

    def get(self, key: str) -> Any:
        """Return the value of the key, or None."""
        self._used.add(key)
        return self._values.get(key)

    def put(self, key: str, value: object) -> None:
        """Store the value, if it survives a round trip through JSON."""
        with suppress(TypeError, ValueError):
            if json.loads(json.dumps(value)) == value:
                self._values[key] = value
                self._is_changed = True

    def save(self) -> None:
        """Write the file if anything is new; ignore errors of the disk."""
        if self._path is None or not self._is_changed or not self._path.parent.is_dir():
            return
        if len(self._values) > MOST_ENTRIES:
            self._values = {key: value for key, value in self._values.items() if key in self._used}
        whole = {"version": self._version, "sha256": _digest(self._values), "values": self._values}
        text = json.dumps(whole)
        with suppress(OSError):
            write_whole(self._path, text.encode(), durable=False)
        self._is_changed = False


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
