"""Reads a source as long as it takes: opens it again, keeps its state, counts."""

from __future__ import annotations

import time
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

from engine.stage import StageError
from stages.media.frames import Buffer
from stages.media.unreadable import Unreadable
from stages.serving.interfaces import Ended, NoSignal, Source, SourceState, SourceStatus
from stages.serving.reading.address import masked
from stages.serving.reading.frozen import FreezeDetector
from stages.serving.reading.options import ReadingOptions

_SETTLED_S = 5.0  # after this time with frames, the next interruption is retried quickly again


class Taken(NamedTuple):
    """A frame that was decoded.

    frame: its number; dropped ones count. time_s: of capture, since 1970. clip: another number than
    before if it does not follow the last frame: another file, the start again, an interruption,
    another size. is_still: it is a picture by itself.
    """

    height: int
    width: int
    frame: int
    time_s: float
    clip: int
    is_still: bool


class Reader:
    """One source in a camera process; `read` never raises for what a source does."""

    def __init__(self, name: str, source: Source, options: ReadingOptions) -> None:
        self._name, self._source, self._options = name, source, options
        self._status: SourceStatus = "starting"
        self._why = ""
        self._size: Optional[Tuple[int, int]] = None
        self._taken = self._reopened = self._resized = 0
        self._freeze = FreezeDetector()
        self._is_open = self._was_lost = False
        self._retry_s = options.retry_s
        self._thaw_s = options.frozen_s  # a frozen source is opened again at most this often
        self._retry_at = self._opened_at = self._last_at = self._live_at = self._frozen_at = 0.0

    def read(self, buffer: Buffer) -> Optional[Taken]:
        """Decode the newest frame into the buffer; None if there is none within about `wait_s`."""
        if self._status in ("ended", "failed"):
            time.sleep(self._options.wait_s)
            return None
        kept = []

        def keeping(height: int, width: int) -> object:
            kept[:] = [buffer(height, width)]
            return kept[0]

        try:
            size = self._source.read(keeping) if self._is_open or self._opens() else None
        except Ended:
            self._close("ended", "")
        except NoSignal as error:
            self._lose(str(error))
        except (StageError, Unreadable) as error:
            self._close("failed", str(error))
        except Exception as error:  # decoders raise anything, and the other sources go on
            self._lose(f"{type(error).__name__}: {error}".partition("\n")[0])
        else:
            if size is not None:
                return self._take(size, kept[0])
            if self._is_open:
                self._note_silence()
        return None

    def state(
        self, answered: int = 0, fps: float = 0.0, dropped: Optional[Mapping[str, int]] = None
    ) -> SourceState:
        """Return its state, with what the pipeline counted."""
        return {
            "kind": "source",
            "source": self._name,
            "type": self._source.type,
            "status": self._status,
            "why": self._why,
            "size": self._size,
            "fps": fps,
            "captured": self._captured(),
            "answered": answered,
            "dropped": _added(self._source.dropped, dropped or {}),
            "reopened": self._reopened,
            "resized": self._resized,
        }

    def close(self) -> None:
        """Release the source."""
        self._is_open = False
        self._source.close()

    def _opens(self) -> bool:
        """Open the source if it is time to; return whether it is open."""
        now = time.monotonic()
        if now < self._retry_at:
            time.sleep(min(self._options.wait_s, self._retry_at - now))
            return False
        self._opened_at = self._last_at = now
        self._source.open()
        self._is_open = True
        return True

    def _take(self, size: Tuple[int, int], frame: object) -> Taken:
        now = time.monotonic()
        if self._was_lost or not self._live_at:
            self._reopened += self._was_lost
            self._was_lost, self._live_at = False, now
        if now - self._live_at > _SETTLED_S:
            self._retry_s = self._options.retry_s
        self._last_at = now
        has_new_size = self._size is not None and self._size != size
        self._resized += has_new_size and not self._source.is_still
        self._size = size
        number = self._captured()
        self._taken += 1
        self._set_status(frame, now)
        source = self._source
        clip = source.clip + self._resized
        return Taken(*size, number, source.time_s, clip, source.is_still)

    def _set_status(self, frame: object, now: float) -> None:
        self._status, self._why = "live", ""
        if not self._source.is_live or not self._options.frozen_s:
            return
        unchanged_s = self._freeze.unchanged_s(frame, now)
        if unchanged_s < self._options.frozen_s:
            if now - self._frozen_at > self._thaw_s:
                self._thaw_s = self._options.frozen_s
            return
        self._frozen_at = now
        look = "the picture is black" if self._freeze.is_black else "the picture has not changed"
        self._status, self._why = "frozen", f"{look} for {unchanged_s:.0f} s"
        if now - self._opened_at >= self._thaw_s:
            self._thaw_s = 2 * self._thaw_s  # a still scene must not be interrupted often
            self._lose(self._why, "frozen")

    def _note_silence(self) -> None:
        silent_s = time.monotonic() - self._last_at
        if not self._source.is_live:
            return
        # the source itself may know the reason after silent_s
        if silent_s >= self._options.silent_s + self._options.wait_s:
            self._lose(f"no frame for {silent_s:.0f} s")
        elif self._last_at > self._opened_at and silent_s >= min(
            2 * self._options.wait_s, self._options.silent_s
        ):
            self._status, self._why = "no_signal", f"no frame for {silent_s:.0f} s"

    def _lose(self, why: str, status: SourceStatus = "no_signal") -> None:
        """Close the source, and let it be opened again after a while, longer each time."""
        self._was_lost = self._was_lost or self._taken > 0
        self._close(status, why)
        self._retry_at = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, self._options.retry_most_s)

    def _close(self, status: SourceStatus, why: str) -> None:
        self._status, self._why = status, masked(why)
        self.close()

    def _captured(self) -> int:
        """Return the number of frames so far; what a folder holds beside pictures is none."""
        dropped = self._source.dropped
        return self._taken + sum(n for cause, n in dropped.items() if cause != "foreign")


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> Dict[str, int]:
    return {cause: one.get(cause, 0) + other.get(cause, 0) for cause in {**one, **other}}
