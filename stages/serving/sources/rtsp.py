"""A network camera: rtsp:// or rtsps://, over TCP if the camera allows it."""

from __future__ import annotations

import os
import re
import socket
from typing import Generator

from stages.media.frames import Decoded
from stages.media.unreadable import Unreadable
from stages.media.video import open_video
from stages.serving.interfaces import NoSignal
from stages.serving.reading.address import masked, parsed
from stages.serving.reading.live import LiveSource
from stages.serving.reading.newest import Stop
from stages.serving.reading.options import ReadingOptions

OPENCV_REASON = "it cannot be opened"
_CONNECT_S = 2.0
_PORTS = {"rtsp": 554, "rtsps": 322}
_ADDRESS = re.compile(r"(?i)rtsps?://")
# For OpenCV; PyAV gets the same from stages.media.
_OF_OPENCV = (
    "rtsp_flags;prefer_tcp|fpsprobesize;0|protocol_whitelist;rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto"
)


def recognises(text: str) -> bool:
    """Return whether it is an address of RTSP."""
    return _ADDRESS.match(text) is not None


def make(text: str, options: ReadingOptions) -> Rtsp:
    """Return the camera. StageError: the address is not valid."""
    parsed(text, _PORTS)
    return Rtsp(text, options)


class Rtsp(LiveSource):
    """A camera that speaks RTSP (RFC 2326), decoded by FFmpeg."""

    type = "rtsp"

    def __init__(self, address: str, options: ReadingOptions) -> None:
        super().__init__(masked(address), options)
        self._address = address

    def frames(self, stop: Stop) -> Generator[Decoded, None, None]:
        """Connect and decode every frame: frames of H.264 depend on earlier ones."""
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", _OF_OPENCV)
        try:
            yield from self._decoded()
        except Unreadable as error:
            raise NoSignal(self._why_not(str(error))) from None

    def _decoded(self) -> Generator[Decoded, None, None]:
        lost = 0
        with open_video(self._address, self.options.silent_s) as video:
            self.fps = video.frame_rate or 0.0
            try:
                for decoded in video.decoded():
                    self.dropped["damaged"] += video.lost - lost
                    lost = video.lost
                    yield decoded
            except Unreadable as error:
                raise NoSignal(video.broken or str(error)) from None
            broken = f"the connection broke: {video.broken}" if video.broken else ""
            raise NoSignal(broken or "the camera ended the stream")

    def _why_not(self, reason: str) -> str:
        """Return why the camera cannot be opened; OpenCV does not know it."""
        if reason != OPENCV_REASON:
            return reason
        address = parsed(self._address, _PORTS)
        try:
            limit_s = min(_CONNECT_S, self.options.silent_s)
            socket.create_connection((address.host, address.port), limit_s).close()
        except OSError as error:
            return f"{reason}: {error.strerror or error}"
        return f"{reason}: the camera answers, but not with a video; check path, user and password"
