"""Recognises a file by its first characters, which a stage's READS lists."""

from collections.abc import Mapping
from pathlib import Path

ANY = "?"  # in a pattern: any character


def is_of(path: Path, kinds: Mapping[str, str]) -> bool:
    """Return whether the path may have one of the kinds, each given by its first characters (Latin-1).

    A folder may have any kind, and so may an unreadable file, which is reported when it is digested.
    """
    if not path.is_file():
        return True
    try:
        with path.open("rb") as file:
            head = file.read(max(map(len, kinds.values()), default=0)).decode("latin-1")
    except OSError:
        return True
    return any(_begins(head, beginning) for beginning in kinds.values() if beginning)


def _begins(head: str, beginning: str) -> bool:
    return len(head) >= len(beginning) and all(
        wanted in (ANY, found) for wanted, found in zip(beginning, head, strict=False)
    )
