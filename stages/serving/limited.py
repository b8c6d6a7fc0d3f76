"""Reads small files whole; what is larger, or never ends, is refused before it fills the memory."""

from __future__ import annotations

from pathlib import Path

MOST_BYTES = 1_000_000


class TooLarge(OSError):
    """The file has more bytes than it may have."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"it has more than {most_bytes} bytes")
        self.strerror = f"it has more than {most_bytes} bytes"


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return the text of a file or a pipe.

    OSError: it cannot be read, or is a TooLarge. UnicodeDecodeError: it is not UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise TooLarge(most_bytes)
    return data.decode("utf-8")
