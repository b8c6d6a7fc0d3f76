"""A network camera that sends JPEGs over HTTP: one endless answer (MJPEG), or one picture per request."""

from __future__ import annotations

import re
from typing import Generator

from stages.media.frames import Decoded
from stages.serving.interfaces import NoSignal
from stages.serving.reading.address import masked, parsed
from stages.serving.reading.http import PORTS, Connection
from stages.serving.reading.jpeg import Jpeg, JpegSplitter
from stages.serving.reading.live import LiveSource
from stages.serving.reading.newest import Stop
from stages.serving.reading.options import ReadingOptions

_ADDRESS = re.compile(r"(?i)https?://")
_STREAMS = (
    "multipart/",
    "video/x-motion-jpeg",
    "video/x-mjpeg",
    "video/mjpeg",
    "application/octet-stream",
)
_PICTURES = ("image/jpeg", "image/jpg")
_SNAPSHOTS_PER_S = 5.0


def recognises(text: str) -> bool:
    """Return whether it is an address of HTTP."""
    return _ADDRESS.match(text) is not None


def make(text: str, options: ReadingOptions) -> Mjpeg:
    """Return the camera. StageError: the address is not valid."""
    parsed(text, PORTS)
    return Mjpeg(text, options)


class Mjpeg(LiveSource):
    """A camera with an address of HTTP."""

    type = "mjpeg"

    def __init__(self, address: str, options: ReadingOptions) -> None:
        super().__init__(masked(address), options)
        self._address = address

    def frames(self, stop: Stop) -> Generator[Decoded, None, None]:
        """Ask for the address; a camera that answers with one picture is asked again."""
        connection = Connection(parsed(self._address, PORTS), self.options.silent_s)
        stop.calls.append(connection.interrupt)
        try:
            while not stop.is_set():
                kind = connection.get()
                if not kind.startswith((*_STREAMS, *_PICTURES)):
                    found = kind[:60] or "no type"
                    raise NoSignal(
                        f"it sends {found}, and not JPEGs: give its address of MJPEG, or rtsp://"
                    )
                yield from self._pictures(connection)
                if not kind.startswith(_PICTURES):
                    raise NoSignal("the camera ended the stream")
                stop.event.wait(1 / (self.options.fps or _SNAPSHOTS_PER_S))
        finally:
            connection.close()

    def _pictures(self, connection: Connection) -> Generator[Decoded, None, None]:
        splitter, counted = JpegSplitter(), 0
        while data := connection.read():
            for jpeg in splitter.feed(data):
                yield Jpeg(jpeg)
            self.dropped["damaged"] += splitter.damaged - counted
            counted = splitter.damaged
        splitter.finish()
        self.dropped["damaged"] += splitter.damaged - counted
