"""Decodes videos with PyAV, FFmpeg's own libraries."""

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.media import orientation
from stages.media.frames import Buffer, Decoded, Video
from stages.media.orientation import UPRIGHT, Orientation
from stages.media.scaling import has_square_pixels, reduced, with_square_pixels
from stages.media.unreadable import Unreadable, refuse_bomb

try:  # tells planning that PyAV is optional
    import av
    from av.sidedata.sidedata import SideDataContainer
    from av.sidedata.sidedata import Type as SideData
except ImportError:
    raise

# A file is data: it must not refer to other files or addresses, like playlists do.
_OF_A_FILE = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
}
# TCP loses nothing and passes firewalls; OpenCV uses it by default, too.
_OF_A_STREAM = {"rtsp_flags": "prefer_tcp"}
# A camera must not refer to files or other services. FFmpeg would read 20 frames to find the rate.
_OF_A_CAMERA = {
    **_OF_A_STREAM,
    "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto",
    "fpsprobesize": "0",
}
SILENT_S = 10.0  # a stream that sends nothing for this long counts as broken
_PICTURES = ("mpjpeg", "mjpeg")  # a sequence of JPEGs without times


class _Decoded(Decoded):
    def __init__(self, frame: "av.VideoFrame", aspect: float) -> None:
        self._frame, self._aspect = frame, aspect

    def picture(self) -> np.ndarray:
        pixels = self._frame.to_ndarray(format="rgb24")
        return self._orientation().upright(with_square_pixels(pixels, self._aspect))

    def write(self, buffer: Buffer, at_least: "int | None" = None) -> "tuple[int, int]":
        if not has_square_pixels(self._aspect) or self._orientation() != UPRIGHT:
            return super().write(buffer, at_least)
        height, width = reduced(self._frame.height, self._frame.width, at_least)
        way = "AREA" if height < self._frame.height else None
        converted = self._frame.reformat(width, height, "rgb24", interpolation=way)
        plane = converted.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        np.copyto(buffer(height, width), rows[:height, : 3 * width].reshape(height, width, 3))
        return height, width

    def _orientation(self) -> Orientation:
        # `frame.side_data` would refer to the frame, which refers to it: memory and threads of thousands of
        # frames would wait for the garbage collector.
        matrix = SideDataContainer(self._frame).get(SideData.DISPLAYMATRIX)
        if matrix is None:
            return UPRIGHT
        return orientation.of_matrix(np.frombuffer(matrix, np.int32))


class PyAVVideo(Video):
    """Frames of a file, a Linux camera, or a stream."""

    def __init__(self, source: "Path | int | str", silent_s: "float | None" = None) -> None:
        self._silent_s = SILENT_S if silent_s is None else silent_s
        try:
            self._container = _opened(source, self._silent_s)
            self._stream = self._container.streams.video[0]
            codec = self._stream.codec_context
            refuse_bomb(codec.width, codec.height)
        except (av.FFmpegError, OSError, IndexError, AttributeError) as error:
            raise Unreadable(_why_not(source, error, self._silent_s)) from None
        self._is_live = isinstance(source, (int, str))
        self._has_no_times = self._container.format.name in _PICTURES
        # Frame threading loses the frames in flight at an error; slice threading loses none.
        self._stream.thread_type = "SLICE"
        self._packets = self._failed = 0
        super().__init__(float(self._stream.average_rate or 0))

    def decoded(self) -> "Iterator[Decoded]":
        first_s = None
        for frame in self._frames():
            refuse_bomb(frame.width, frame.height)
            time_s = time.monotonic() if self._has_no_times else frame.time
            if time_s is not None:
                first_s = time_s if first_s is None else first_s
                time_s -= first_s
            self.damaged += bool(frame.is_corrupt)
            yield self._next(_Decoded(frame, float(self._stream.sample_aspect_ratio or 0)), time_s)
        self.lost = self._failed + self._missing()
        if not self.read:
            raise Unreadable("no frame of the video can be decoded")

    def close(self) -> None:
        self._container.close()

    def _frames(self) -> "Iterator[av.VideoFrame]":
        try:
            for packet in self._container.demux(self._stream):
                self._packets += packet.size > 0
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    self._failed += 1
                    self.lost = self._failed
        except av.FFmpegError as error:
            if self._is_live and not self._is_end(error):
                self.broken = _reason(
                    error, self._silent_s
                )  # for a file, the index shows how much is missing

    def _is_end(self, error: "av.FFmpegError") -> bool:
        """Return whether it is the end: for a sequence of JPEGs, FFmpeg reports the end as an I/O error."""
        return self._has_no_times and error.errno == errno.EIO

    def _missing(self) -> int:
        """Return how many frames are missing, according to the file's index or its duration."""
        if self._stream.frames:
            return max(0, self._stream.frames - self._packets)
        if len(self._container.streams) > 1 or not self._container.duration or not self.frame_rate:
            return 0
        rest_s = self._container.duration / av.time_base - self._last_s
        return max(0, round(rest_s * self.frame_rate) - 1)


def _opened(source: "Path | int | str", silent_s: float) -> "av.container.InputContainer":
    if isinstance(source, int):
        return av.open(f"/dev/video{source}", format="v4l2")
    if isinstance(source, str):
        is_camera = source.lower().startswith(("rtsp://", "rtsps://"))
        options = _OF_A_CAMERA if is_camera else _OF_A_STREAM
        return av.open(source, timeout=silent_s, options=options)
    return av.open(f"file:{source}", options=_OF_A_FILE)


def _why_not(source: "Path | int | str", error: Exception, silent_s: float) -> str:
    """Return why it cannot be opened; for a stream or a camera, include the system's message."""
    if isinstance(source, Path):
        return "not a readable video"
    if not isinstance(error, av.FFmpegError) or isinstance(error, av.InvalidDataError):
        return "it cannot be opened: it sends no readable video"
    return f"it cannot be opened: {_reason(error, silent_s)}"


def _reason(error: "av.FFmpegError", silent_s: float) -> str:
    if isinstance(error, av.ExitError):  # FFmpeg was asked to give up
        return f"no data for {silent_s:g} s"
    return error.strerror or str(error)
