"""Shows a picture, or the pictures and videos of a folder one after another."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from pathlib import Path
from typing import Deque, Dict, Optional, Set, Tuple

from engine.stage import StageError
from stages.media import kinds
from stages.media.frames import Buffer
from stages.media.pictures import read_reduced
from stages.media.unreadable import Unreadable
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.reading.clip import VideoClip
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.pixels import Rgb

_POLL_S = 0.5
_WRITING_S = 2.0  # a file that cannot be read and is younger than this may still be being written
_Stamp = Tuple[int, int]  # time of change, size


class Slides:
    """A Source: each picture is shown for 1 / fps seconds, each video is played.

    A file that cannot be read is counted as damaged, any other kind of file as foreign. Pictures are
    never left out, however late they are.
    """

    is_live = False

    def __init__(self, kind: str, path: Path, options: ReadingOptions) -> None:
        self.type, self.label, self.time_s = kind, str(path), 0.0
        self.clip, self.is_still = 0, True
        self.fps = options.fps or 1.0
        self.dropped: Dict[str, int] = {"newer": 0, "damaged": 0, "foreign": 0}
        self._path, self._options = path, options
        self._seen: Dict[Path, _Stamp] = {}
        self._foreign: Set[Path] = set()
        self._waiting: Deque[Path] = deque()
        self._clip: Optional[VideoClip] = None
        self._due_s = self._scanned_s = 0.0
        self._shown = 0  # since the first of the files
        self._reason = ""

    def open(self) -> None:
        """Look what there is. StageError: nothing that can be shown. NoSignal: there was something."""
        self.close()
        self._seen.clear()
        self._scan()
        if not self._waiting and not self._options.watch:
            read = " ".join((*kinds.PICTURES, *kinds.VIDEOS))
            raise self._absent(
                f"{self.label} contains no pictures and no videos; supported: {read}"
            )

    def read(self, buffer: Buffer) -> Optional[Tuple[int, int]]:
        """Decode the picture that is due now, or the next frame of a video, into the buffer."""
        end_s = time.monotonic() + self._options.wait_s
        while True:
            if self._clip is not None:
                try:
                    return self._read_clip(self._clip, buffer)
                except (Ended, StageError):
                    self._end_clip()
            now = time.monotonic()
            if now >= end_s:
                return None
            if now < self._due_s:
                time.sleep(min(self._due_s, end_s) - now)
                continue
            path = self._following()
            if path is None:
                time.sleep(min(_POLL_S, end_s - now))
                continue
            if kinds.is_video(path):
                self._start_clip(path)
                continue
            size = self._show(path, buffer)
            if size is not None:
                return size

    def close(self) -> None:
        """Release what is open."""
        if self._clip is not None:
            self._clip.close()
        self._clip = None

    def _following(self) -> Optional[Path]:
        """Return the next file, None if there is none yet; raise Ended."""
        if not self._waiting and self._options.watch:
            self._scan()
        elif not self._waiting:
            if not self._shown:
                raise self._absent(f"nothing in {self.label} can be read: {self._reason}")
            if not self._options.loop:
                raise Ended
            self._shown = 0
            self._seen.clear()
            self._scan()
        return self._waiting.popleft() if self._waiting else None

    def _scan(self) -> None:
        """Append the files that are new or have changed since the last look."""
        if self._options.watch and time.monotonic() - self._scanned_s < _POLL_S:
            return
        self._scanned_s = time.monotonic()
        try:
            found = list(kinds.below(self._path)) if self._path.is_dir() else [self._path]
        except OSError as error:
            raise self._absent(f"{self.label} cannot be read: {error.strerror}") from None
        for path in found:
            stamp = _stamp(path)
            if not kinds.is_picture(path) and not kinds.is_video(path):
                self._foreign.add(path)
            elif stamp is not None and self._seen.get(path) != stamp:
                self._seen[path] = stamp
                self._waiting.append(path)
        self.dropped["foreign"] = len(self._foreign)

    def _absent(self, why: str) -> Exception:
        """Return the error; if something was shown before, it may come back, such as a folder of a server."""
        return NoSignal(why) if self.clip else StageError(why)

    def _show(self, path: Path, buffer: Buffer) -> Optional[Tuple[int, int]]:
        try:
            picture = read_reduced(path, self._options.side).pixels
        except (Unreadable, OSError) as error:
            self._leave_out(path, str(error))
            return None
        now = time.monotonic()
        self._due_s = 0.0 if self._options.speed == "fast" else now + 1 / self.fps
        self._shown += 1
        self.clip, self.is_still = self.clip + 1, True
        self.time_s = time.time()
        return Rgb(picture).write(buffer, self._options.side)

    def _leave_out(self, path: Path, reason: str) -> None:
        """Count a file that cannot be read; look at it again if it may be incomplete."""
        stamp = _stamp(path)
        if self._options.watch and stamp and time.time() - stamp[0] / 1e9 < _WRITING_S:
            del self._seen[path]
            return
        self.dropped["damaged"] += 1
        self._reason = f"{path.name}: {reason}"

    def _start_clip(self, path: Path) -> None:
        clip = VideoClip(path, dataclasses.replace(self._options, loop=False))
        try:
            clip.open()
        except StageError as error:
            self._leave_out(path, str(error))
            return
        self._clip = clip
        self.clip, self.is_still = self.clip + 1, False

    def _read_clip(self, clip: VideoClip, buffer: Buffer) -> Optional[Tuple[int, int]]:
        size = clip.read(buffer)
        self._shown += size is not None
        self.time_s = clip.time_s
        self._add(clip.dropped)
        return size

    def _end_clip(self) -> None:
        if self._clip is not None:
            self._add(self._clip.dropped)
            self._clip.close()
        self._clip, self._due_s = None, 0.0

    def _add(self, dropped: Dict[str, int]) -> None:
        for cause, number in dropped.items():
            self.dropped[cause] += number
            dropped[cause] = 0


def _stamp(path: Path) -> Optional[_Stamp]:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
