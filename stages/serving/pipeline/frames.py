"""The frames of a source in shared memory: the camera process writes, the inference process reads.

A reader takes the newest frame, and never waits. It marks the slot that it reads, so that the writer
takes another one, and checks afterwards that the slot still has the same frame: marks make collisions
rare, the check makes them harmless. Nobody holds a lock, so anybody may be killed at any time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Set, Tuple

from stages.serving.pipeline.memory import (
    PAGE,
    Fence,
    Words,
    elapsed_s,
    milliseconds,
    shared,
    size_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLOTS = 8  # pages of slots that are not used take no memory; the writer prefers the first slots
READERS = 3  # marks of a slot: two inference threads, and the painter
PAINTER = 2  # its mark
# words: of the ring, then of each slot
_NEWEST, _ANY, _WISH, _BEAT, _SEEN = range(5)
COUNTERS = ("offered", "taken", "answered", "failed", "motion", "fps", "restarts")
_COUNTS = 5
_HEAD = 16
_NUMBER, _HEIGHT, _WIDTH, _CLIP, _STILL, _MARK = range(6)
_SLOT = _MARK + READERS
_WORDS = _HEAD + SLOTS * _SLOT
_FLOATS = 3 * SLOTS  # frame, time_s, and the monotonic time of capture, of each slot
_SHIFT = 3  # a pointer is a number of publication and a slot
_TURN = 2**29
OLDEST_S = 60.0  # a frame that seems older was captured before the clock was set


class Shot(NamedTuple):
    """What is known of a frame beside its pixels; clip and is_still: see reading.reader.Taken."""

    size: Tuple[int, int]
    frame: int
    time_s: float
    clip: int = 0
    is_still: bool = False


@dataclass(frozen=True)
class Frame:
    """A frame in a slot."""

    pixels: NDArray[np.uint8]  # (h, w, 3), RGB; only until it is released
    slot: int
    number: int  # of publication
    frame: int  # of the source
    time_s: float  # of capture, seconds since 1970
    since_s: float  # of capture, monotonic
    clip: int
    is_still: bool

    @property
    def size(self) -> Tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


class Ring:
    """The slots of one source."""

    def __init__(self, pixels: int) -> None:
        self.capacity = -(-3 * pixels // PAGE) * PAGE
        self._start = -(-size_of(_WORDS, _FLOATS) // PAGE) * PAGE
        self._memory = shared(self._start + SLOTS * self.capacity)
        numbers = Words(self._memory, 0, _WORDS, _FLOATS)
        self.words, self.floats = numbers.words, numbers.floats
        self.fence = Fence()

    def pixels(self, slot: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return a slot as an array (h, w, 3)."""
        import numpy as np

        at = self._start + slot * self.capacity
        return np.frombuffer(self._memory, np.uint8, 3 * height * width, at).reshape(
            height, width, 3
        )

    def word(self, slot: int, which: int) -> int:
        return _HEAD + slot * _SLOT + which

    def release(self, slot: int, reader: int) -> None:
        """Take a reader's mark off a slot."""
        self.words[self.word(slot, _MARK + reader)] = 0

    def forget_readers(self) -> None:
        """Take off all marks of an inference process that has ended."""
        for slot in range(SLOTS):
            for reader in range(PAINTER):
                self.release(slot, reader)

    def last_taken(self) -> int:
        """Return the word of the frame that was taken last; see `Reader.newest`."""
        return int(self.words[_SEEN])

    def is_taken(self) -> bool:
        """Return whether the newest frame to answer has been taken."""
        return bool(self.words[_SEEN] == self.words[_NEWEST])

    def restart(self) -> None:
        """Make it empty, after a camera process that has ended; counters remain."""
        self.words[_NEWEST] = self.words[_ANY] = self.words[_WISH] = self.words[_SEEN] = 0
        for slot in range(SLOTS):
            for which in range(_SLOT):
                self.words[self.word(slot, which)] = 0

    def beat(self, now_s: float) -> None:
        """Note that the camera process is alive."""
        self.words[_BEAT] = milliseconds(now_s)

    def silent_s(self, now_s: float) -> float:
        """Return the time since the camera process was alive."""
        return elapsed_s(int(self.words[_BEAT]), now_s)

    def add(self, counter: str, more: int = 1) -> None:
        """Add to one of the counters, each of which has one process that adds to it."""
        at = _COUNTS + COUNTERS.index(counter)
        self.words[at] = (self.words[at] + more) % 2**32

    def counted(self, counter: str) -> int:
        return int(self.words[_COUNTS + COUNTERS.index(counter)])

    def dropped(self) -> Dict[str, int]:
        """Return the dropped frames by cause.

        Not those that wait to be taken, nor those that are being answered.
        """
        waiting = int(not self.is_taken())
        newer = self.counted("offered") - self.counted("taken") - waiting
        causes = {cause: self.counted(cause) for cause in ("motion", "fps")}
        return {"newer": max(0, newer), **causes, "worker": self.counted("failed")}


class Writer:
    """The camera's side."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._published = 0
        self._slot: Optional[int] = None  # that is being written

    def buffer(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return the array for the next frame."""
        if self._slot is None:
            self._slot = self._free()
            self._ring.words[self._ring.word(self._slot, _NUMBER)] = 0
            self._ring.fence()
        return self._ring.pixels(self._slot, height, width)

    def publish(self, shot: Shot, to_answer: bool) -> None:
        """Show the frame in the buffer to the readers."""
        assert self._slot is not None
        ring, slot = self._ring, self._slot
        self._published = self._published % (_TURN - 1) + 1
        about = (*shot.size, shot.clip % 2**32, int(shot.is_still))
        for at, word in zip((_HEIGHT, _WIDTH, _CLIP, _STILL), about):
            ring.words[ring.word(slot, at)] = word
        since_s = time.monotonic() - _age_s(shot.time_s)
        for at, number in enumerate((shot.frame, shot.time_s, since_s)):
            ring.floats[3 * slot + at] = number
        ring.fence()
        ring.words[ring.word(slot, _NUMBER)] = self._published
        pointer = self._published << _SHIFT | slot
        ring.words[_ANY] = pointer
        if to_answer:
            ring.words[_NEWEST] = pointer
            ring.add("offered")
        self._slot = None

    def _free(self) -> int:
        ring = self._ring
        ring.fence()
        used: Set[int] = {ring.words[at] & (SLOTS - 1) for at in (_NEWEST, _ANY) if ring.words[at]}
        free = [slot for slot in range(SLOTS) if slot not in used and not self._is_marked(slot)]
        # The readers' check finds out if a marked slot has to be overwritten.
        return free[0] if free else next(slot for slot in range(SLOTS) if slot not in used)

    def _is_marked(self, slot: int) -> bool:
        first = self._ring.word(slot, _MARK)
        return any(self._ring.words[first : first + READERS])


def _age_s(time_s: float) -> float:
    """Return the age of a frame that has just been captured, also if the clock was set meanwhile."""
    age_s = time.time() - time_s
    return age_s if 0 <= age_s <= OLDEST_S else 0.0


class Reader:
    """A reader's side; `reader` is the number of its mark."""

    def __init__(self, ring: Ring, reader: int) -> None:
        self.ring, self._reader = ring, reader

    def newest(self) -> int:
        """Return a word that changes with each new frame to answer; 0: there was none."""
        return int(self.ring.words[_NEWEST])

    @staticmethod
    def pointer(frame: Frame) -> int:
        """Return the word that `newest` had when the frame was the newest."""
        return frame.number << _SHIFT | frame.slot

    def take(self) -> Optional[Frame]:
        """Return the newest frame to answer, and mark its slot."""
        frame = self._marked(_NEWEST)
        if frame is not None:
            self.ring.words[_SEEN] = self.pointer(frame)
            self.ring.add("taken")
        return frame

    def peek(self) -> Optional[Frame]:
        """Return the newest frame, to be answered or not, and mark its slot."""
        return self._marked(_ANY)

    def is_intact(self, frame: Frame) -> bool:
        """Return whether the slot still has the frame that was taken."""
        self.ring.fence()
        return bool(self.ring.words[self.ring.word(frame.slot, _NUMBER)] == frame.number)

    def release(self, frame: Frame) -> None:
        self.ring.release(frame.slot, self._reader)

    def hand_over(self, frame: Frame) -> bool:
        """Give the frame to the painter if it wishes one: its mark replaces the reader's."""
        words = self.ring.words
        if not words[_WISH]:
            return False
        words[_WISH] = 0
        words[self.ring.word(frame.slot, _MARK + PAINTER)] = 1
        return True

    def is_wished(self) -> bool:
        """Return whether the painter wishes for a frame."""
        return bool(self.ring.words[_WISH])

    def wish(self) -> None:
        """Ask for the next answered frame, as the painter."""
        self.ring.words[_WISH] = 1

    def of(self, slot: int, number: int) -> Optional[Frame]:
        """Return the frame of a slot that was handed over; None if it is another one now."""
        found = self._read(slot, number)
        return found if self.is_intact(found) else None

    def _marked(self, which: int) -> Optional[Frame]:
        ring = self.ring
        for _ in range(SLOTS):
            pointer = ring.words[which]
            if not pointer:
                return None
            slot, number = pointer & (SLOTS - 1), pointer >> _SHIFT
            ring.words[ring.word(slot, _MARK + self._reader)] = 1
            ring.fence()
            if ring.words[ring.word(slot, _NUMBER)] == number:
                return self._read(slot, number)
            ring.release(slot, self._reader)
        return None

    def _read(self, slot: int, number: int) -> Frame:
        ring = self.ring
        height, width, clip, still = (
            int(ring.words[ring.word(slot, at)]) for at in (_HEIGHT, _WIDTH, _CLIP, _STILL)
        )
        frame, time_s, since_s = (ring.floats[3 * slot + at] for at in range(3))
        if 3 * height * width > ring.capacity:  # torn; the check refuses it
            height = width = 1
        pixels = ring.pixels(slot, height, width)
        pixels.flags.writeable = False
        return Frame(pixels, slot, number, int(frame), time_s, since_s, clip, bool(still))
