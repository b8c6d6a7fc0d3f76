"""Which of two Debian versions is the later one, as deb-version(7) says it."""

import re

_Part = tuple[tuple[tuple[int, ...], int], ...]
Key = tuple[int, _Part, _Part]

_LONGEST = 1000  # characters; the longest in bookworm has 60
_END = 0  # where letters end: after `~`, before any other letter


def key(version: str) -> Key:
    """Return what sorts as the versions do: epoch, upstream version, revision.

    ValueError where it is no version.
    """
    found = re.fullmatch(
        r"(?:(\d{1,9}):)?([A-Za-z0-9][A-Za-z0-9.+:~-]*?)(?:-([A-Za-z0-9.+~]+))?", version, re.ASCII
    )
    if not found or len(version) > _LONGEST or (":" in found[2] and found[1] is None):
        raise ValueError(f"{version[:80]!r} is no Debian version")
    return int(found[1] or 0), _part(found[2]), _part(found[3] or "0")


def _part(text: str) -> _Part:
    """Cut into pairs of other characters and a number; a part that ends goes on with the empty
    pair.
    """
    pairs = re.findall(r"(\D*)(\d*)", text)[:-1]
    return (*((_rank(letters), int(digits or 0)) for letters, digits in pairs), ((_END,), 0))


def _rank(letters: str) -> tuple[int, ...]:
    """Return numbers that sort as the characters do: `~`, the end, letters, all else."""
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in letters), _END)
