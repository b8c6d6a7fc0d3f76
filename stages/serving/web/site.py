"""The routes of the server; docs/serving.md documents them."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, AsyncIterator, Callable, Dict, FrozenSet, Optional

from stages.serving.web import route as routes
from stages.serving.web import snapshots, static
from stages.serving.web.api import Api
from stages.serving.web.guard import Guard
from stages.serving.web.pictures import Pictures
from stages.serving.web.questions import Questions
from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response
from stages.serving.web.route import Route
from stages.serving.web.tally import Tally
from stages.serving.web.throttle import Throttle
from stages.serving.web.updates import Changes, Stream

if TYPE_CHECKING:
    from stages.serving.interfaces import Captures, Hub
    from stages.serving.web.access import Access
    from stages.serving.web.settings import Settings

_STREAM = "text/event-stream; charset=utf-8"


class Site:
    """Answers requests from what the hub knows."""

    def __init__(
        self,
        hub: Hub,
        settings: Settings,
        access: Access,
        names: FrozenSet[str],
        captures: Optional[Captures],
        say: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.throttle = Throttle(settings.limits, time.monotonic)
        self.tally = Tally(say)
        self.changes = Changes(hub)
        self.pictures = Pictures(hub.feed, settings.fps)
        self.questions = Questions(hub.feed, captures)
        self._guard = Guard(access, names, static.read())
        self._api = Api(hub, self.changes, self.questions, self._metrics)
        self._asking = 0
        self._routes = self._table(hub.feed.summary["takes"])

    def _table(self, takes: str) -> Dict[str, Route]:
        limits, api, questions = self.settings.limits, self._api, self.questions
        question_bytes = limits.picture_bytes if takes == "pictures" else limits.json_bytes
        return {
            "/": Route(self._guard.page, is_public=True),
            "/enter": Route(self._guard.enter, "POST", 4096, is_public=True),
            "/static/": Route(self._guard.file, is_public=True),
            "/healthz": Route(api.health, is_public=True),
            "/metrics": Route(api.metrics),
            "/api/state": Route(api.state),
            "/api/updates": Route(api.updates),
            "/api/events": Route(api.events),
            "/api/stream": Route(self._stream),
            "/api/ask": Route(questions.ask, "POST", question_bytes, is_question=True),
            "/api/capture": Route(questions.capture, "POST", limits.json_bytes, is_question=True),
            "/pictures/": Route(self._pictures),
            "/snapshots/": Route(self._snapshots),
        }

    def admit(self, request: Request) -> Route:
        """Return the route of a request; raise Refused if it must not be answered."""
        self._guard.check_sender(request)
        found = routes.for_method(routes.find(self._routes, request.path), request.method)
        if not found.is_public:
            self._guard.check_token(request)
        return found

    def redirect(self, request: Request) -> Response:
        """Return the way to HTTPS, for a request that came without TLS."""
        self._guard.check_sender(request)
        return Response(308, headers={"Location": f"https://{request.header('host')}/"})

    @asynccontextmanager
    async def room_for(self, route: Route) -> AsyncIterator[None]:
        """Hold a place for a question; raise Refused if all are taken."""
        if not route.is_question:
            yield
            return
        if self._asking >= self.settings.limits.questions:
            raise Refused(503, "the model is busy: try again in a moment", Retry_After="1")
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    async def _stream(self, request: Request) -> Response:
        self._check_streams()
        after = request.header("last-event-id") or request.query.get("after", "")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(200, b"", _STREAM, headers, Stream(self.changes, after))

    async def _pictures(self, request: Request) -> Response:
        name = request.path[len("/pictures/") :]
        if not name.endswith(".jpg"):
            self._check_streams()
        return await self.pictures.answer(name, request)

    async def _snapshots(self, request: Request) -> Response:
        name = request.path[len("/snapshots/") :]
        return snapshots.answer(self.settings.snapshots, name, request)

    def _check_streams(self) -> None:
        if self._viewers() >= self.settings.limits.streams:
            raise Refused(503, "too many viewers: try again later", Retry_After="10")

    def _viewers(self) -> int:
        return self.changes.viewers + self.pictures.viewers

    def _metrics(self) -> Dict[str, float]:
        own = {"serving_viewers": self._viewers(), "serving_connections": self.throttle.connections}
        return {**own, **self.tally.values()}
