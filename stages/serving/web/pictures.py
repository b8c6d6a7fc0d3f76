"""Live pictures: one watch per source fetches each picture once for all viewers, and only while
somebody watches.

A viewer asks for the next picture when it has shown the last (`/pictures/SOURCE.jpg?after=FRAME`), so it
gets as many as its network carries, always the newest. Programs may prefer the endless multipart stream.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response

if TYPE_CHECKING:
    from stages.serving.interfaces import Feed, Picture

LEASE_S = 3.0  # how long a viewer counts after its last request
WAIT_S = 10.0  # the longest wait for a picture
TICK_S = 2.0  # how often a stream without pictures checks its connection
SLOWEST_FPS = 0.1
_BOUNDARY = "picture"


class Pictures:
    """The watches of all sources."""

    def __init__(self, feed: Feed, most_fps: float) -> None:
        self._feed, self._most_fps = feed, most_fps
        self._watches: Dict[Tuple[str, bool], _Watch] = {}
        self.viewers = 0  # of the endless streams

    async def answer(self, name: str, request: Request) -> Response:
        """Return a picture, or the stream of a source; raise Refused."""
        source, is_one = (name[:-4], True) if name.endswith(".jpg") else (name, False)
        if source not in self._feed.summary["sources"]:
            raise Refused(404, "there is no such source")
        fps = _number(request, "fps", self._most_fps)
        fps = min(max(fps, SLOWEST_FPS), self._most_fps)
        watch = self._watch(source, "plain" not in request.query)
        if is_one:
            return await _one(watch, fps, request)
        headers = {"Cache-Control": "no-store"}
        type_ = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        return Response(200, b"", type_, headers, _Parts(self, watch, fps), is_live=True)

    def _watch(self, source: str, drawn: bool) -> _Watch:
        key = (source, drawn)
        if key not in self._watches:
            self._watches[key] = _Watch(self._feed, source, drawn)
        return self._watches[key]


class _Watch:
    """Fetches pictures of a source from the feed while viewers hold a lease."""

    def __init__(self, feed: Feed, source: str, drawn: bool) -> None:
        self._feed, self._source, self._drawn = feed, source, drawn
        self._who = "web" if drawn else "web-plain"
        self._leases: Dict[float, float] = {}  # fps -> end
        self._newest: Optional[Picture] = None
        self._arrived = asyncio.Event()  # replaced with each picture
        self._task: Optional[asyncio.Task[None]] = None

    async def next(self, fps: float, after: Optional[int], wait_s: float) -> Optional[Picture]:
        """Return the newest picture that is not frame `after`, or None if none came in time."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        while True:
            self._hold(fps, loop.time() + LEASE_S)
            if self._newest is not None and self._newest.frame != after:
                return self._newest
            left_s = end_s - loop.time()
            if left_s <= 0:
                return None
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), min(left_s, LEASE_S / 2))

    def _hold(self, fps: float, end_s: float) -> None:
        self._leases[fps] = end_s
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._fetch())

    async def _fetch(self) -> None:
        wanted = 0.0
        try:
            while fps := self._wanted_fps():
                if fps != wanted:
                    wanted = fps
                    self._feed.want(self._source, self._who, fps, self._drawn)
                self._take(self._feed.picture(self._source, self._drawn))
                await asyncio.sleep(0.5 / fps)
        finally:
            self._task, self._newest = None, None
            self._feed.want(self._source, self._who, 0, self._drawn)

    def _wanted_fps(self) -> float:
        now_s = asyncio.get_running_loop().time()
        self._leases = {fps: end_s for fps, end_s in self._leases.items() if end_s > now_s}
        return max(self._leases, default=0.0)

    def _take(self, picture: Optional[Picture]) -> None:
        if picture is None or (self._newest and picture.frame == self._newest.frame):
            return
        self._newest = picture
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()


class _Parts:
    """An endless multipart body; a slow viewer gets fewer pictures, not older ones."""

    def __init__(self, pictures: Pictures, watch: _Watch, fps: float) -> None:
        self._pictures = pictures
        pictures.viewers += 1
        self._watch, self._step_s = watch, 1.0 / fps
        self._fps = fps
        self._last: Optional[int] = None
        self._due_s = 0.0
        self._start = f"--{_BOUNDARY}\r\n"

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._due_s - loop.time()))
        picture = await self._watch.next(self._fps, self._last, TICK_S)
        if picture is None:
            return b""
        self._last = picture.frame
        self._due_s = max(self._due_s + self._step_s, loop.time())
        # The boundary follows at once: browsers show a picture only when its part has ended.
        start, self._start = self._start, ""
        head = (
            f"{start}Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
            f"X-Frame: {picture.frame}\r\nX-Time-S: {picture.time_s:.3f}\r\n\r\n"
        )
        return head.encode() + picture.jpeg + f"\r\n--{_BOUNDARY}\r\n".encode()

    async def aclose(self) -> None:
        self._pictures.viewers -= 1


async def _one(watch: _Watch, fps: float, request: Request) -> Response:
    after = int(_number(request, "after", -1)) if "after" in request.query else None
    picture = await watch.next(fps, after, min(_number(request, "wait", WAIT_S), WAIT_S))
    if picture is None and after is None:
        raise Refused(503, "the source has no picture now", Retry_After="2")
    headers = {"Cache-Control": "no-store"}
    if picture is None:
        return Response(204, headers=headers)
    headers["X-Frame"], headers["X-Time-S"] = str(picture.frame), f"{picture.time_s:.3f}"
    return Response(200, picture.jpeg, "image/jpeg", headers)


def _number(request: Request, name: str, default: float) -> float:
    text = request.query.get(name, "")
    if not text:
        return default
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not -1e15 < found < 1e15:
        raise Refused(400, f"{name} is not a number")
    return found
