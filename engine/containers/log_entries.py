"""Tells which entries of a container's log are new since the last look, though the engine may have rotated
earlier ones away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Entry = tuple[str, bytes]  # its timestamp, which sorts as text, and its bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """The last entry that was seen: all pieces of a long line have the timestamp of the first."""

    moment: str = ""
    times: int = 0  # how many entries with that timestamp were there
    data: bytes = b""

    def new(self, entries: Sequence[Entry]) -> "tuple[bytes, Seen]":
        """Return what is new, and what is then seen; entries: the log from this moment on, or from earlier.

        If the last entry that was seen is no longer where it was, all from its moment on is new.
        """
        moments = [moment for moment, _ in entries]
        last = moments.index(self.moment) + self.times - 1 if self.moment in moments else -1
        if 0 <= last < len(entries) and entries[last] == (self.moment, self.data):
            fresh = entries[last + 1 :]
        else:
            fresh = [one for one in entries if one[0] >= self.moment]
        if not fresh:
            return b"", self
        moment, data = entries[-1]
        return b"".join(one for _, one in fresh), Seen(moment, moments.count(moment), data)
