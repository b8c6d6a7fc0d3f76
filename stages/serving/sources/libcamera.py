"""A camera on the Raspberry Pi's own connector: `libcamera` or `csi`, with `:N` for the Nth.

Needs picamera2, the Python binding of Raspberry Pi OS (package python3-picamera2).
"""

from __future__ import annotations

import re
from typing import Any, Generator

from engine.stage import StageError
from stages.media.frames import Decoded
from stages.serving.interfaces import NoSignal
from stages.serving.reading.live import LiveSource
from stages.serving.reading.newest import Stop
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.pixels import Rgb

_WORD = re.compile(r"(?:libcamera|csi)(?::(\d))?")
_SIZE = (480, 640)  # height, width
_FORMAT = "BGR888"  # libcamera names bytes from the highest: in memory these are R, G, B


def recognises(text: str) -> bool:
    """Return whether it is one of the words."""
    return _WORD.fullmatch(text) is not None


def make(text: str, options: ReadingOptions) -> Libcamera:
    """Return the camera."""
    match = _WORD.fullmatch(text)
    assert match is not None
    return Libcamera(int(match[1] or 0), options)


class Libcamera(LiveSource):
    """A camera that libcamera drives."""

    type = "libcamera"

    def __init__(self, number: int, options: ReadingOptions) -> None:
        super().__init__(f"libcamera:{number}", options)
        self._number = number

    def frames(self, stop: Stop) -> Generator[Decoded, None, None]:
        """Open it, and yield its newest frames."""
        try:
            from picamera2 import Picamera2
        except ImportError:
            raise StageError(
                "libcamera needs picamera2: sudo apt-get install python3-picamera2, and create the "
                "virtual environment with --system-site-packages"
            ) from None
        try:
            camera = Picamera2(self._number)
        except (RuntimeError, IndexError) as error:
            raise NoSignal(f"the camera cannot be opened ({error}): check its cable") from None
        try:
            self._configure(camera)
            camera.start()
            while not stop.is_set():
                yield Rgb(camera.capture_array("main"))
        finally:
            camera.stop()
            camera.close()

    def _configure(self, camera: Any) -> None:
        height, width = self.options.size or _SIZE
        self.fps = self.options.fps or 30.0
        configuration = camera.create_video_configuration(
            main={"size": (width, height), "format": _FORMAT},
            controls={"FrameRate": self.fps},
        )
        camera.configure(configuration)
