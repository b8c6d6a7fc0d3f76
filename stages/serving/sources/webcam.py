"""A camera of Linux (V4L2): its number, or /dev/videoN. OpenCV reads it, or PyAV if there is no OpenCV."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Generator

from engine.stage import StageError
from stages.media.frames import Decoded
from stages.media.unreadable import Unreadable
from stages.serving.interfaces import NoSignal
from stages.serving.reading.live import LiveSource
from stages.serving.reading.newest import Stop
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.pixels import Bgr

_NUMBER = re.compile(r"(?:/dev/video)?(\d{1,3})")
DEVICES = Path("/dev")
_MOST_FAILURES = 10  # reads in a row; OpenCV waits 10 s for a frame


def recognises(text: str) -> bool:
    """Return whether it is a number, or a device file /dev/videoN."""
    return _NUMBER.fullmatch(text) is not None


def make(text: str, options: ReadingOptions) -> Webcam:
    """Return the camera."""
    match = _NUMBER.fullmatch(text)
    assert match is not None
    return Webcam(int(match[1]), options)


class Webcam(LiveSource):
    """A camera with a driver of Linux."""

    type = "webcam"

    def __init__(self, number: int, options: ReadingOptions) -> None:
        super().__init__(f"/dev/video{number}", options)
        self._number, self._device = number, DEVICES / f"video{number}"

    def frames(self, stop: Stop) -> Generator[Decoded, None, None]:
        """Open it with the size and rate that are wanted, as far as it has them."""
        if not self._device.exists():  # OpenCV would warn at each attempt
            raise NoSignal(_why_not(self._device))
        try:
            import cv2
        except ImportError:
            yield from self._frames_of_pyav()
            return
        capture = cv2.VideoCapture(self._number, cv2.CAP_V4L2)
        try:
            if not capture.isOpened():
                raise NoSignal(_why_not(self._device))
            self._configure(cv2, capture)
            failures = 0
            while not stop.is_set() and failures < _MOST_FAILURES:
                is_read, picture = capture.read()
                if not is_read:
                    failures += 1
                    continue
                self.dropped["damaged"] += failures
                failures = 0
                yield Bgr(picture)
            raise NoSignal("the camera sends no frames; it may be unplugged or used by a program")
        finally:
            capture.release()

    def _configure(self, cv2: Any, capture: Any) -> None:
        """Prefer JPEG: many cameras reach their full rate over USB 2 only with it."""
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"MJPG"))
        if self.options.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.options.size[0])
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.options.size[1])
        if self.options.fps:
            capture.set(cv2.CAP_PROP_FPS, self.options.fps)
        self.fps = max(0.0, float(capture.get(cv2.CAP_PROP_FPS)))

    def _frames_of_pyav(self) -> Generator[Decoded, None, None]:
        from stages.media.video import open_video

        try:
            with open_video(self._number, self.options.silent_s) as video:
                self.fps = video.frame_rate or 0.0
                yield from video.decoded()
                raise NoSignal(video.broken or "the camera sends no frames")
        except Unreadable as error:
            raise NoSignal(f"{_why_not(self._device)} ({error})") from None
        except StageError:
            raise StageError("a webcam needs OpenCV (python3-opencv) or PyAV (av)") from None


def _why_not(device: Path) -> str:
    """Return why a camera cannot be opened, with what usually helps."""
    if not device.exists():
        return f"there is no {device}: plug the camera in"
    try:
        with device.open("rb"):
            return f"{device} is used by another program, or is not a camera"
    except PermissionError:
        return f"{device} may not be opened: add this user to the group video"
    except OSError as error:
        return f"{device} cannot be opened: {error.strerror}"
