"""The routes of the server, and who may use them. The table is documented in docs/serving.md."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Dict, FrozenSet, Optional
from urllib.parse import parse_qs

from stages.serving.events.counters import named
from stages.serving.web import prometheus, snapshots, static
from stages.serving.web.numbers import numbers_of
from stages.serving.web.origin import is_known_host, is_own_origin
from stages.serving.web.pictures import Pictures
from stages.serving.web.questions import Questions
from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response, as_json
from stages.serving.web.throttle import Throttle
from stages.serving.web.updates import Changes, Stream

if TYPE_CHECKING:
    from stages.serving.interfaces import Captures, Hub
    from stages.serving.web.access import Access
    from stages.serving.web.settings import Settings

METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}
)
MOST_EVENTS = 1000
_SAID_S = 60.0  # the same failure is logged once in this time


@dataclass(frozen=True)
class Route:
    """What answers a request. is_public: without a token. is_question: it keeps a thread busy."""

    handle: Callable[[Request], Awaitable[Response]]
    method: str = "GET"
    body_bytes: int = 0
    is_public: bool = False
    is_question: bool = False


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
        self.changes = Changes(hub)
        self.pictures = Pictures(hub.feed, settings.fps)
        self.questions = Questions(hub.feed, captures)
        self._hub, self._access, self._names, self._say = hub, access, names, say
        self._files = static.read()
        self._asking = 0
        self._statuses: Counter[int] = Counter()
        self._refused: Counter[str] = Counter()
        self._said: Dict[str, float] = {}
        self._routes = self._table()

    def _table(self) -> Dict[str, Route]:
        limits = self.settings.limits
        most = max(limits.json_bytes, limits.picture_bytes)
        takes_pictures = self._hub.feed.summary["takes"] == "pictures"
        question_bytes = most if takes_pictures else limits.json_bytes
        return {
            "/": Route(self._page, is_public=True),
            "/enter": Route(self._enter, "POST", 4096, is_public=True),
            "/healthz": Route(self._health, is_public=True),
            "/metrics": Route(self._metrics),
            "/api/state": Route(self._state),
            "/api/updates": Route(self._updates),
            "/api/events": Route(self._events),
            "/api/stream": Route(self._stream),
            "/api/ask": Route(self.questions.ask, "POST", question_bytes, is_question=True),
            "/api/capture": Route(
                self.questions.capture, "POST", limits.json_bytes, is_question=True
            ),
            # Everything below these:
            "/static/": Route(self._static, is_public=True),
            "/pictures/": Route(self._pictures),
            "/snapshots/": Route(self._snapshots),
        }

    def admit(self, request: Request) -> Route:
        """Return the route of a request; raise Refused if it must not be answered."""
        self._check_sender(request)
        route = self._find(request.path)
        allowed = {route.method, "OPTIONS"} | ({"HEAD"} if route.method == "GET" else set())
        allow = ", ".join(sorted(allowed))
        if request.method not in METHODS:
            raise Refused(501, "the server does not know this method")
        if request.method not in allowed:
            raise Refused(405, f"the method {request.method} is not allowed here", Allow=allow)
        if request.method == "OPTIONS":
            return Route(_options(allow), "OPTIONS", is_public=True)
        if not route.is_public:
            self._check_token(request)
        return route

    def redirect(self, request: Request) -> Response:
        """Return the way to HTTPS, for a request that came without TLS."""
        self._check_sender(request)
        location = f"https://{request.header('host')}/"
        return Response(308, headers={"Location": location})

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

    def answered(self, status: int) -> None:
        """Count a response."""
        self._statuses[status] += 1

    def refused(self, cause: str) -> None:
        """Count a connection that was refused or ended."""
        self._refused[cause] += 1

    def failed(self, trace: str) -> None:
        """Log an error of ours, but the same one not all the time."""
        now_s = time.monotonic()
        if now_s - self._said.get(trace, -_SAID_S) >= _SAID_S:
            self._said = {trace: now_s} if len(self._said) > 100 else {**self._said, trace: now_s}
            self._say(f"the web server failed to answer a request:\n{trace}")

    def _check_sender(self, request: Request) -> None:
        host = request.header("host")
        if not is_known_host(host, self._names):
            raise Refused(
                403,
                "the server is not known by this name: open it by its IP address, or start it with "
                "names=NAME",
            )
        if not is_own_origin(request.headers.get("origin"), host):
            raise Refused(403, "requests from pages of other sites are refused")
        is_visit = request.header("sec-fetch-mode") == "navigate" and request.path == "/"
        if request.header("sec-fetch-site") == "cross-site" and not is_visit:
            raise Refused(403, "requests from pages of other sites are refused")

    def _check_token(self, request: Request) -> None:
        if self._access.is_open:
            return
        authorization = request.header("authorization")
        if authorization and self._access.is_authorised(authorization):
            self._access.forgive(request.address)
            return
        if self._access.is_cookie(request.header("cookie")):
            if request.method == "POST" and "origin" not in request.headers:
                raise Refused(403, "a page's request needs an Origin header")
            return
        delay_s = self._access.delay_s(request.address) if authorization else 0.0
        why = "the token is wrong" if authorization else "a token is needed"
        raise Refused(401, why, delay_s, WWW_Authenticate='Bearer realm="serving"')

    def _find(self, path: str) -> Route:
        if path in self._routes and (path == "/" or not path.endswith("/")):
            return self._routes[path]
        folder, _, name = path[1:].partition("/")
        if name and f"/{folder}/" in self._routes:
            return self._routes[f"/{folder}/"]
        raise Refused(404, "there is nothing here")

    async def _page(self, request: Request) -> Response:
        if self._access.is_open:
            return static.answer(self._files["index.html"], request)
        if "token" in request.query:
            return self._welcome(request, request.query["token"])
        try:
            self._check_token(request)
        except Refused as refused:
            return self._door(request, refused.delay_s)
        return static.answer(self._files["index.html"], request)

    async def _enter(self, request: Request) -> Response:
        try:
            form = parse_qs(request.body.decode("utf-8"), max_num_fields=4)
        except ValueError:
            raise Refused(400, "the form is malformed") from None
        return self._welcome(request, form.get("token", [""])[0].strip())

    def _welcome(self, request: Request, token: str) -> Response:
        if not self._access.is_token(token):
            return self._door(request, self._access.delay_s(request.address))
        self._access.forgive(request.address)
        headers = {"Location": "/", "Cache-Control": "no-store"}
        return Response(303, headers={**headers, "Set-Cookie": self._access.set_cookie()})

    def _door(self, request: Request, delay_s: float) -> Response:
        response = static.answer(self._files["enter.html"], request, 401)
        response.headers["Cache-Control"] = "no-store"
        response.headers["WWW-Authenticate"] = 'Bearer realm="serving"'
        response.delay_s = delay_s
        return response

    async def _static(self, request: Request) -> Response:
        file = self._files.get(request.path[len("/static/") :])
        if file is None:
            raise Refused(404, "there is nothing here")
        return static.answer(file, request)

    async def _health(self, request: Request) -> Response:
        states = self._hub.states()
        workers = [state["status"] for state in states if state["kind"] == "worker"]
        sources = [state["status"] for state in states if state["kind"] == "source"]
        if "failed" in workers:
            return as_json({"status": "failed"}, 503)
        is_well = all(one in ("live", "ended") for one in sources)
        is_well = is_well and all(one == "ready" for one in workers)
        return as_json({"status": "ok" if is_well else "degraded"})

    async def _metrics(self, request: Request) -> Response:
        own: Dict[str, float] = {
            "serving_viewers": self.changes.viewers + self.pictures.viewers,
            "serving_connections": self.throttle.connections,
        }
        for status, count in self._statuses.items():
            own[named("serving_requests_total", status=str(status))] = count
        for cause, count in self._refused.items():
            own[named("serving_refused_total", cause=cause)] = count
        body = prometheus.text({**self._hub.counters(), **own})
        return Response(200, body, prometheus.TYPE, {"Cache-Control": "no-store"})

    async def _state(self, request: Request) -> Response:
        states = self._hub.states()
        self.changes.look()
        return as_json(
            {
                "boot": self.changes.boot,
                "time_s": time.time(),
                "summary": self._hub.feed.summary,
                "sources": [state for state in states if state["kind"] == "source"],
                "workers": [state for state in states if state["kind"] == "worker"],
                "numbers": numbers_of(self._hub),
                "captures": self.questions.labels(),
                "last_event": self.changes.last_event,
            }
        )

    async def _updates(self, request: Request) -> Response:
        return as_json(self._hub.updates())

    async def _events(self, request: Request) -> Response:
        after, most = _count(request, "after", 0), _count(request, "most", 100)
        events = self._hub.events(after=after, most=min(max(most, 1), MOST_EVENTS))
        return as_json({"boot": self.changes.boot, "events": events})

    async def _stream(self, request: Request) -> Response:
        self._check_streams()
        after = request.header("last-event-id") or request.query.get("after", "")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(
            200, b"", "text/event-stream; charset=utf-8", headers, Stream(self.changes, after)
        )

    async def _pictures(self, request: Request) -> Response:
        name = request.path[len("/pictures/") :]
        if not name.endswith(".jpg"):
            self._check_streams()
        return await self.pictures.answer(name, request)

    async def _snapshots(self, request: Request) -> Response:
        name = request.path[len("/snapshots/") :]
        return snapshots.answer(self.settings.snapshots, name, request)

    def _check_streams(self) -> None:
        if self.changes.viewers + self.pictures.viewers >= self.settings.limits.streams:
            raise Refused(503, "too many viewers: try again later", Retry_After="10")


def _options(allow: str) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return Response(204, headers={"Allow": allow})

    return handle


def _count(request: Request, name: str, default: int) -> int:
    text: Any = request.query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not text.isascii() or len(text) > 15:
        raise Refused(400, f"{name} is not a number")
    return int(text)
