"""Orders Debian versions according to deb-version(7)."""

import re

_Part = tuple[tuple[tuple[int, ...], int], ...]
Key = tuple[int, _Part, _Part]

_LONGEST = 1000  # characters; the longest in bookworm has 60
_END = 0  # the end of a part sorts after `~`, before any other character


def key(version: str) -> Key:
    """Return a sort key: epoch, upstream version, revision.

    Raise ValueError if it is not a version.
    """
    found = re.fullmatch(
        r"(?:(\d{1,9}):)?([A-Za-z0-9][A-Za-z0-9.+:~-]*?)(?:-([A-Za-z0-9.+~]+))?", version, re.ASCII
    )
    if not found or len(version) > _LONGEST or (":" in found[2] and found[1] is None):
        raise ValueError(f"{version[:80]!r} is not a Debian version")
    return int(found[1] or 0), _part(found[2]), _part(found[3] or "0")


def _part(text: str) -> _Part:
    """Split into pairs of non-digits and a number, ending with the empty pair."""
    pairs = re.findall(r"(\D*)(\d*)", text)[:-1]
    return (*((_rank(letters), int(digits or 0)) for letters, digits in pairs), ((_END,), 0))


def _rank(letters: str) -> tuple[int, ...]:
    """Return numbers in the characters' sort order: `~`, the end, letters, all others."""
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in letters), _END)
