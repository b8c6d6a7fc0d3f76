"""Runs a live source in a thread and keeps its newest frame, so that no old ones queue up in a camera's
or a connection's buffers.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Callable, Generator, List, NamedTuple, Optional

from engine.stage import StageError
from stages.media.frames import Decoded
from stages.media.unreadable import Unreadable
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.reading.address import masked

_JOIN_S = 1.0


class Arrived(NamedTuple):
    """A frame, and when it arrived in seconds since 1970."""

    decoded: Decoded
    time_s: float


class Stop:
    """Asks a thread to end; `calls` interrupt what it waits for."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.calls: List[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Return whether the thread is to end."""
        return self.event.is_set()

    def set(self) -> None:
        """Ask it to end."""
        self.event.set()
        for call in list(self.calls):
            call()


Frames = Callable[[Stop], Generator[Decoded, None, None]]


class Newest:
    """The newest frame of a generator, which says why it ends by raising Ended, NoSignal or StageError.

    keeps_all: wait until each frame is taken instead, as a pipe between programs does.
    """

    def __init__(self, frames: Frames, keeps_all: bool = False) -> None:
        self.replaced = 0  # frames that a newer one replaced
        self._frames, self._keeps_all = frames, keeps_all
        self._stop = Stop()
        self._changed = threading.Condition()
        self._frame: Optional[Arrived] = None
        self._end: Optional[Exception] = None
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self._thread.start()

    def take(self, wait_s: float) -> Optional[Arrived]:
        """Return the newest frame that was not taken yet; wait for one. None: there is none in time.

        After the last frame, raise the reason for the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._end, wait_s)
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            if frame is None and self._end is not None:
                raise self._end.with_traceback(None)
            return frame

    def close(self) -> bool:
        """Ask the thread to end, and return whether it has."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        end: Exception = NoSignal("the connection ended")
        try:
            with closing(self._frames(self._stop)) as frames:
                for decoded in frames:
                    if self._stop.is_set():
                        break
                    self._put(Arrived(decoded, time.time()))
        except (Ended, NoSignal, StageError) as error:
            end = error
        except Unreadable as error:
            end = NoSignal(masked(str(error)))
        except Exception as error:  # decoders raise anything
            end = NoSignal(masked(f"{type(error).__name__}: {error}".partition("\n")[0]))
        with self._changed:
            self._end = end.with_traceback(None)  # its frames would keep the decoder alive
            self._changed.notify_all()

    def _put(self, frame: Arrived) -> None:
        with self._changed:
            if self._keeps_all:
                self._changed.wait_for(lambda: self._frame is None or self._stop.is_set())
            self.replaced += self._frame is not None
            self._frame = frame
            self._changed.notify_all()
