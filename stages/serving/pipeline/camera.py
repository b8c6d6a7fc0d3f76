"""The process of a source: decodes frames into shared memory, decides which of them are answered,
counts, and makes pictures in a second thread.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Deque, Mapping, Optional, Protocol, Tuple

from stages.serving.interfaces import SourceState
from stages.serving.pipeline import wire
from stages.serving.pipeline.frames import Ring, Shot, Writer
from stages.serving.pipeline.motion import Gate
from stages.serving.pipeline.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.media.frames import Buffer
    from stages.serving.reading.reader import Taken

SPAN_S = 5.0  # over which the rate is averaged
TAKEN_S = 1.0  # longest wait for the inference process, which may be starting


class Reads(Protocol):
    """What a camera needs of stages.serving.reading.reader.Reader."""

    def read(self, buffer: Buffer) -> Optional[Taken]: ...

    def state(
        self, answered: int = 0, fps: float = 0.0, dropped: Optional[Mapping[str, int]] = None
    ) -> SourceState: ...


class Camera:
    """What is done with each frame of a source.

    wake: the inference process's pipe, which gets a byte for each frame
    """

    def __init__(
        self, reader: Reads, ring: Ring, wake: int, messages: wire.Sender, settings: Settings
    ) -> None:
        self._reader, self._ring, self._wake = reader, ring, wake
        self._messages, self._settings = messages, settings
        self._writer, self._gate = Writer(ring), Gate(settings.motion)
        self._large: Optional[NDArray[np.uint8]] = None  # a frame that does not fit into a slot
        self._told_s, self._next_s = 0.0, 0.0
        self._status: Optional[str] = None
        self._answered: Deque[Tuple[float, int]] = deque(maxlen=64)
        ring.restart()

    def run(self) -> None:
        """Read until the process is ended; after the end of the source there is only its picture."""
        while True:
            self._ring.beat(time.monotonic())
            taken = self._reader.read(self._buffer)
            if taken is not None:
                self._publish(taken)
            self._tell()

    def _buffer(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return the array (height, width, 3) for the next frame."""
        import numpy as np

        self._large = None
        if 3 * height * width > self._ring.capacity:
            self._large = np.empty((height, width, 3), np.uint8)
            return self._large
        return self._writer.buffer(height, width)

    def _publish(self, taken: Taken) -> None:
        height, width = taken.height, taken.width
        if self._large is not None:
            height, width = self._reduce(self._large[:height, :width])
        to_answer = self._is_answered(height, width)
        shot = Shot((height, width), taken.frame, taken.time_s, taken.clip, taken.is_still)
        self._writer.publish(shot, to_answer)
        if to_answer:
            wake(self._wake)
            if self._settings.source.get("speed") == "fast":
                self._await_taken()

    def _is_answered(self, height: int, width: int) -> bool:
        now_s = time.monotonic()
        if self._settings.fps:
            if now_s < self._next_s:
                self._ring.add("fps")
                return False
            self._next_s = max(self._next_s + 1 / self._settings.fps, now_s)
        if self._settings.motion and not self._gate.passes(self._writer.buffer(height, width)):
            self._ring.add("motion")
            return False
        return True

    def _reduce(self, pixels: NDArray[np.uint8]) -> Tuple[int, int]:
        """Write a frame that does not fit into a slot, with every n-th pixel only."""
        height, width = pixels.shape[:2]
        step = 1
        while 3 * -(-height // step) * -(-width // step) > self._ring.capacity:
            step += 1
        small = pixels[::step, ::step]
        self._writer.buffer(*small.shape[:2])[:] = small
        return int(small.shape[0]), int(small.shape[1])

    def _await_taken(self) -> None:
        """Wait until the frame is being answered: a file that is read fast loses no frame."""
        end_s = time.monotonic() + TAKEN_S
        while not self._ring.is_taken() and time.monotonic() < end_s:
            time.sleep(0.0005)

    def _tell(self) -> None:
        """Report once a second, and when the status changes."""
        now_s = time.monotonic()
        state = self._reader.state()
        if state["status"] == self._status and now_s - self._told_s < self._settings.state_s:
            return
        self._told_s, self._status = now_s, state["status"]
        answered, fps = self._ring.counted("answered"), round(self._rate(), 2)
        state = self._reader.state(answered, fps, self._ring.dropped())
        self._messages.send(wire.packed(state))

    def _rate(self) -> float:
        """Return the answers per second over the last seconds."""
        now_s, answered = time.monotonic(), self._ring.counted("answered")
        while self._answered and now_s - self._answered[0][0] > SPAN_S:
            self._answered.popleft()
        self._answered.append((now_s, answered))
        first_s, first = self._answered[0]
        return (answered - first) / (now_s - first_s) if now_s > first_s else 0.0


def wake(pipe: int) -> None:
    """Wake the reader of a pipe; if the pipe is full, the reader will wake up anyway."""
    with suppress(BlockingIOError):
        os.write(pipe, b"\0")
