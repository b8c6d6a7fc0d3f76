"""Plays a video at its own speed, or as fast as its frames are processed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

from engine.stage import StageError
from stages.media.frames import Buffer, Decoded, Video
from stages.media.unreadable import Unreadable
from stages.media.video import open_video
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.reading.options import ReadingOptions

_PERIOD_S = 0.04  # of a file without a frame rate


class VideoClip:
    """A Source for a video file; frames that are due before the previous one was processed are left out."""

    type = "file"
    is_live = False
    is_still = False

    def __init__(self, path: Path, options: ReadingOptions) -> None:
        self.label, self.fps, self.time_s, self.clip = str(path), 0.0, 0.0, 0
        self.dropped: Dict[str, int] = {"newer": 0, "damaged": 0}
        self._path, self._options = path, options
        self._video: Optional[Video] = None
        self._frames: Iterator[Decoded] = iter(())
        self._next: Optional[Decoded] = None
        self._start_s: Optional[float] = None  # when the clip's first frame was due
        self._lost = 0

    def open(self) -> None:
        """Open it. StageError: it is not a readable video. NoSignal: it was one, and may be again."""
        self.close()
        try:
            self._video = open_video(self._path)
        except (Unreadable, OSError) as error:
            kind = NoSignal if self.clip else StageError
            raise kind(f"{self._path.name} cannot be read: {error}") from None
        self._frames, self._start_s, self._lost = self._video.decoded(), None, 0
        self.fps = self._video.frame_rate or 0.0
        self.clip += 1

    def read(self, buffer: Buffer) -> Optional[Tuple[int, int]]:
        """Decode the frame that is due now into the buffer."""
        begin_s = time.monotonic()
        while True:
            self._next = self._next or self._following()
            if self._options.speed == "fast":
                break
            late_s = self._late_s(self._next)
            if late_s < 0:
                rest_s = begin_s + self._options.wait_s - time.monotonic()
                time.sleep(max(0.0, min(rest_s, -late_s)))
                if rest_s < -late_s:
                    return None
                break
            if late_s <= self._period_s():
                break
            if time.monotonic() - begin_s > self._options.wait_s / 2:  # decoding alone is too slow
                self._start_s = time.monotonic() - self._next.time_s
                break
            try:
                newer = self._following()
            except Ended:  # nothing replaces the last frame, however late it is
                break
            self.dropped["newer"] += 1
            self._next = newer
        frame, self._next = self._next, None
        self.time_s = time.time()
        return frame.write(buffer, self._options.side)

    def close(self) -> None:
        """Release it."""
        if self._video is not None:
            self._video.close()
        self._video, self._frames, self._next = None, iter(()), None

    def _following(self) -> Decoded:
        """Return the next frame; at the end the first one again, or raise Ended."""
        for _ in range(2):
            try:
                frame = next(self._frames, None)
            except (Unreadable, OSError) as error:  # the file may have been removed meanwhile
                kind = NoSignal if self._options.loop else StageError
                raise kind(f"{self._path.name} cannot be read: {error}") from None
            self._count_lost()
            if frame is not None:
                return frame
            if not self._options.loop:
                break
            self.open()
        raise Ended

    def _late_s(self, frame: Decoded) -> float:
        now = time.monotonic()
        if self._start_s is None:
            self._start_s = now - frame.time_s
        return now - self._start_s - frame.time_s

    def _period_s(self) -> float:
        return 1 / self.fps if self.fps else _PERIOD_S

    def _count_lost(self) -> None:
        if self._video is not None:
            self.dropped["damaged"] += self._video.lost - self._lost
            self._lost = self._video.lost
