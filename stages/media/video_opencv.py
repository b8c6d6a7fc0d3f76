"""Decodes videos with OpenCV, if PyAV is not installed (it has no wheel for armv7)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.media import matroska, mp4, orientation
from stages.media.frames import Buffer, Decoded, Video
from stages.media.orientation import UPRIGHT, Orientation
from stages.media.scaling import has_square_pixels, reduced, with_square_pixels
from stages.media.unreadable import Unreadable, refuse_bomb

try:  # tells planning that OpenCV is optional
    import cv2
except ImportError:
    raise

# read() fails once at a damaged frame and works again when repeated; at the end it keeps failing
_READ_ATTEMPTS = 50
SILENT_S = 10.0  # a stream that sends nothing for this long counts as broken


class _Decoded(Decoded):
    def __init__(self, bgr: np.ndarray, aspect: float, orientation: Orientation) -> None:
        self._bgr, self._aspect, self._orientation = bgr, aspect, orientation

    def picture(self) -> np.ndarray:
        rgb = cv2.cvtColor(self._bgr, cv2.COLOR_BGR2RGB)
        return self._orientation.upright(with_square_pixels(rgb, self._aspect))

    def write(self, buffer: Buffer, at_least: "int | None" = None) -> "tuple[int, int]":
        if not has_square_pixels(self._aspect) or self._orientation != UPRIGHT:
            return super().write(buffer, at_least)
        bgr = self._bgr
        height, width = reduced(*bgr.shape[:2], at_least)
        if (height, width) != bgr.shape[:2]:
            bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=buffer(height, width))
        return height, width


class OpenCVVideo(Video):
    """Frames of a file, a camera, or a stream."""

    def __init__(self, source: "Path | int | str", silent_s: "float | None" = None) -> None:
        if isinstance(source, int):
            self._capture = cv2.VideoCapture(source)
        elif isinstance(source, str):
            self._capture = cv2.VideoCapture(
                source, cv2.CAP_FFMPEG, _time_limits(SILENT_S if silent_s is None else silent_s)
            )
        else:
            self._capture = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)
        self._path = source if isinstance(source, Path) else None
        self._failed = 0
        if not self._capture.isOpened():
            raise Unreadable(
                "it cannot be opened" if isinstance(source, str) else "not a readable video"
            )
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        refuse_bomb(
            int(self._get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._get(cv2.CAP_PROP_FRAME_HEIGHT))
        )
        self._orientation = self._orientation_of(source)
        super().__init__(self._get(cv2.CAP_PROP_FPS))

    def decoded(self) -> "Iterator[Decoded]":
        height = self._get(cv2.CAP_PROP_SAR_DEN)
        aspect = self._get(cv2.CAP_PROP_SAR_NUM) / height if height else 0.0
        first_s = None
        for picture in self._pictures():
            time_s = self._get(cv2.CAP_PROP_POS_MSEC) / 1000
            first_s = time_s if first_s is None else first_s
            yield self._next(_Decoded(picture, aspect, self._orientation), time_s - first_s)
        if self._path is not None:
            self.lost = self._missing(self._path)
        if not self.read:
            raise Unreadable("no frame of the video can be decoded")

    def close(self) -> None:
        self._capture.release()

    def _pictures(self) -> "Iterator[np.ndarray]":
        """Yield (h, w, 3) pictures in BGR."""
        failed = 0
        while failed < (1 if self._path is None else _READ_ATTEMPTS):
            is_read, picture = self._capture.read()
            if is_read and picture is not None:
                self._failed, failed = self._failed + failed, 0
                yield picture
            else:
                failed += 1

    def _missing(self, path: Path) -> int:
        """Return the number of missing frames; none in a complete MP4, whose edit list may hide some."""
        if not self._failed and mp4.is_whole(path):
            return 0
        return max(self._failed, int(self._get(cv2.CAP_PROP_FRAME_COUNT)) - self.read)

    def _orientation_of(self, source: "Path | int | str") -> Orientation:
        """Return the orientation: OpenCV reports only an angle, and the file's header has the mirroring."""
        if isinstance(source, Path):
            if (matrix := mp4.display_matrix(source)) is not None:
                return orientation.of_matrix(matrix)
            if (angles := matroska.yaw_and_roll(source)) is not None:
                return orientation.of_yaw_and_roll(*angles)
        return orientation.of_clockwise_degrees(self._get(cv2.CAP_PROP_ORIENTATION_META))

    def _get(self, name: int) -> float:
        return float(self._capture.get(name))


def _time_limits(silent_s: float) -> "list[int]":
    limit_ms = round(silent_s * 1000)
    return [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms),
    ]
