"""The process of a source: decodes frames into shared memory, decides which of them are answered,
counts, and makes pictures in a second thread.
"""

from __future__ import annotations

import importlib
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Deque, Optional, Tuple

from stages.serving.interfaces import SourceState, SourceStatus
from stages.serving.pipeline import wire
from stages.serving.pipeline.frames import Ring, Writer
from stages.serving.pipeline.motion import Gate
from stages.serving.pipeline.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPAN_S = 5.0  # over which the rate is averaged


class Sink:
    """What a source's loop (stages.serving.sources.loop) writes to.

    wake: the inference process's pipe, which gets a byte for each frame
    beat: called as a sign of life, for the supervisor
    """

    def __init__(
        self, name: str, kind: str, ring: Ring, wake: int, messages: wire.Sender, settings: Settings
    ) -> None:
        self._name, self._kind, self._ring, self._wake = name, kind, ring, wake
        self._messages, self._settings = messages, settings
        self._writer, self._gate = Writer(ring), Gate(settings.motion)
        self._large: Optional[NDArray[np.uint8]] = None  # a frame that does not fit into a slot
        self._size: Optional[Tuple[int, int]] = None
        self._status: SourceStatus = "starting"
        self._why, self._told_s, self._next_s = "", 0.0, 0.0
        self._answered: Deque[Tuple[float, int]] = deque(maxlen=64)
        ring.restart()
        self.beat()

    def buffer(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return the array (height, width, 3) for the next frame."""
        import numpy as np

        self._large = None
        if 3 * height * width > self._ring.capacity:
            self._large = np.empty((height, width, 3), np.uint8)
            return self._large
        return self._writer.buffer(height, width)

    def publish(self, height: int, width: int) -> None:
        """Announce that the last buffer has the newest frame, of this size."""
        if self._large is not None:
            height, width = self._reduce(self._large[:height, :width])
        if self._size and self._size != (height, width):
            self._writer.new_clip()
        self._size = (height, width)
        to_answer = self._is_answered(height, width)
        self._writer.publish((height, width), to_answer)
        if to_answer:
            wake(self._wake)
        if self._status != "live":
            self.state("live")
        self.beat()

    def reset(self) -> None:
        """Begin a new clip."""
        self._writer.new_clip()

    def state(self, status: SourceStatus, why: str = "") -> None:
        """Report that the status has changed."""
        self._status, self._why = status, why
        self._tell()

    def reopened(self) -> None:
        """Count that the source was opened again after a fault."""
        self._ring.add("reopened")
        self.reset()

    def beat(self) -> None:
        """Report once a second; called for each frame, and at least each second without one."""
        now_s = time.monotonic()
        self._ring.beat(now_s)
        if now_s - self._told_s >= self._settings.state_s:
            self._tell()

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

    def _tell(self) -> None:
        self._told_s = time.monotonic()
        about = self._status, self._why, self._size, round(self._rate(), 2)
        self._messages.send(wire.packed(report(self._name, self._kind, self._ring, *about)))

    def _rate(self) -> float:
        """Return the answers per second over the last seconds."""
        now_s, answered = time.monotonic(), self._ring.counted("answered")
        while self._answered and now_s - self._answered[0][0] > SPAN_S:
            self._answered.popleft()
        self._answered.append((now_s, answered))
        first_s, first = self._answered[0]
        return (answered - first) / (now_s - first_s) if now_s > first_s else 0.0


def report(
    name: str,
    kind: str,
    ring: Ring,
    status: SourceStatus,
    why: str,
    size: Optional[Tuple[int, int]] = None,
    fps: float = 0.0,
) -> SourceState:
    """Return the state of a source, with its counters."""
    return SourceState(
        kind="source",
        source=name,
        type=kind,
        status=status,
        why=why,
        size=size,
        fps=fps,
        captured=ring.counted("captured"),
        answered=ring.counted("answered"),
        dropped=ring.dropped(),
        reopened=ring.counted("reopened"),
    )


def run(text: str, sink: Sink, settings: Settings) -> None:
    """Read a source until it ends for good."""
    loop = importlib.import_module(settings.sources)
    loop.run(text, sink, settings.source)


def wake(pipe: int) -> None:
    """Wake the reader of a pipe; if the pipe is full, the reader will wake up anyway."""
    try:
        os.write(pipe, b"\0")
    except BlockingIOError:
        pass
