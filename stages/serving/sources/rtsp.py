"""A network camera: rtsp:// or rtsps://, over TCP if the camera allows it."""

from __future__ import annotations

import os
import re
from typing import Generator

from stages.media.frames import Decoded
from stages.media.unreadable import Unreadable
from stages.media.video import open_video
from stages.serving.interfaces import NoSignal
from stages.serving.reading.address import masked, parsed
from stages.serving.reading.live import LiveSource
from stages.serving.reading.newest import Stop
from stages.serving.reading.options import ReadingOptions

_PORTS = {"rtsp": 554, "rtsps": 322}
_ADDRESS = re.compile(r"(?i)rtsps?://")
# For OpenCV; PyAV gets the same from stages.media.
_OF_OPENCV = (
    "rtsp_flags;prefer_tcp|analyzeduration;500000"
    "|protocol_whitelist;rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto"
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
            raise NoSignal(
                f"the connection broke: {video.broken}"
                if video.broken
                else "the camera ended the stream"
            )
