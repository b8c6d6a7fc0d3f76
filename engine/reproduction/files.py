"""How two versions of an output differ: which files, how large they are, and whether only in what was
measured: times, speeds and memory.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import digest, units
from engine.errors import UserError

MEASURED = ("ms", "µs", "s", "per s", "MB")  # units of what differs from run to run
MOST_NAMED = 5  # files of an output
_MOST_BYTES = 16_000_000  # of a JSON file that is compared value by value


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs: its path in the output, its sizes in bytes, None if it is missing."""

    path: str  # empty: the output is this file
    before: int | None
    after: int | None
    is_measured: bool  # only measured times, speeds or memory differ

    def __str__(self) -> str:
        sizes = [_size(size) for size in (self.before, self.after)]
        return f"{self.path or 'the file'} ({' -> '.join(dict.fromkeys(sizes))})"


def is_measured(metric: str) -> bool:
    """Return whether a metric, or a key of a JSON file, is a time, a speed or memory."""
    return units.unit(metric).name in MEASURED


def changes(before: Path, after: Path) -> list[Change]:
    """Return the files that differ between two versions of an output."""
    old, new = _files(before), _files(after)
    return [
        _change(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if path not in old or path not in new or not _is_same(old[path], new[path])
    ]


def described(found: list[Change]) -> str:
    """Return the files in a line."""
    named = ", ".join(map(str, found[:MOST_NAMED]))
    left = len(found) - MOST_NAMED
    return f"{named} and {left} more" if left > 0 else named


def _files(path: Path) -> dict[str, Path]:
    """Return the files of an output by their path in it; an output that is a file has an empty path."""
    if path.is_dir():
        return {name: path / name for name, _ in digest.files(path)}
    return {"": path} if path.is_file() else {}


def _is_same(old: Path, new: Path) -> bool:
    try:
        return old.stat().st_size == new.stat().st_size and digest.of(old) == digest.of(new)
    except (OSError, UserError):
        return False


def _change(path: str, old: Path | None, new: Path | None) -> Change:
    sizes = [one.stat().st_size if one else None for one in (old, new)]
    return Change(path, sizes[0], sizes[1], bool(old and new) and _only_measured(old, new))


def _only_measured(old: Path | None, new: Path | None) -> bool:
    """Return whether both are JSON, and differ only in numbers whose key is that of a measurement."""
    before, after = _read(old), _read(new)
    return before is not None and after is not None and not list(_others("", before, after))


def _read(path: Path | None) -> Any:
    if path is None or path.suffix not in (".json", ".jsonl") or path.stat().st_size > _MOST_BYTES:
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        return (
            json.loads(text) if path.suffix == ".json" else list(map(json.loads, text.splitlines()))
        )
    except (ValueError, RecursionError):
        return None


def _others(key: str, before: Any, after: Any) -> Iterator[str]:
    """Yield the keys of values that differ and are no measurements."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        for name in before:
            yield from _others(name if not is_measured(key) else key, before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list) and is_measured(key):
        return  # such as the latencies of single calls
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from _others(key, old, new)
    elif before != after and not (_is_number(before) and _is_number(after) and is_measured(key)):
        yield key


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "missing"
    return f"{size_bytes:,} byte{'' if size_bytes == 1 else 's'}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
