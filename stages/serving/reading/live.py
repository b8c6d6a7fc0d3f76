"""What live sources share: a thread that keeps the newest frame, and its counters."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Dict, Generator, Optional, Tuple

from stages.media.frames import Buffer, Decoded
from stages.media.unreadable import Unreadable
from stages.serving.interfaces import NoSignal
from stages.serving.reading.newest import Newest, Stop
from stages.serving.reading.options import ReadingOptions


class LiveSource(ABC):
    """A source whose frames arrive by themselves; a Source of the interfaces."""

    type = ""
    is_live = True
    is_still = False

    def __init__(self, label: str, options: ReadingOptions) -> None:
        self.label, self.options = label, options
        self.fps = 0.0
        self.time_s = 0.0
        self.clip = 0
        self.dropped: Dict[str, int] = {"newer": 0, "damaged": 0}
        self._newest: Optional[Newest] = None
        self._is_closed = True

    @abstractmethod
    def frames(self, stop: Stop) -> Generator[Decoded, None, None]:
        """Open it and yield frames as they arrive; it runs in a thread.

        Raise NoSignal, Ended or StageError. `stop.calls` get what ends a wait for data.
        """

    def open(self) -> None:
        """Begin to open it; what goes wrong is raised by `read`."""
        if self._newest is not None and not self._is_closed and not self._newest.close():
            raise NoSignal("it does not respond and is still being closed")
        self._newest = Newest(self.frames, self._keeps_all())
        self._is_closed = False
        self.clip += 1

    def read(self, buffer: Buffer) -> Optional[Tuple[int, int]]:
        """Decode the newest frame into the buffer; a damaged one is counted and left out."""
        newest, end_s = self._newest, time.monotonic() + self.options.wait_s
        if newest is None:
            raise NoSignal("it is not open")
        while True:
            arrived = newest.take(max(0.0, end_s - time.monotonic()))
            self.dropped["newer"] += newest.replaced
            newest.replaced = 0
            if arrived is None:
                return None
            try:
                size = arrived.decoded.write(buffer, self.options.side)
            except Unreadable:
                self.dropped["damaged"] += 1
                continue
            self.time_s = arrived.time_s
            return size

    def close(self) -> None:
        """Release it; a thread that waits for a driver or a server ends as soon as that returns."""
        if self._newest is not None:
            self._is_closed = self._newest.close()

    def _keeps_all(self) -> bool:
        return False
