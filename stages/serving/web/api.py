"""What the hub knows, as JSON and as Prometheus metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Dict

from stages.serving.web import prometheus
from stages.serving.web.numbers import FRESH_S, numbers_of
from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response, as_json

if TYPE_CHECKING:
    from stages.serving.interfaces import Hub
    from stages.serving.web.questions import Questions
    from stages.serving.web.updates import Changes

MOST_EVENTS = 1000


class Api:
    """Reads the hub. own: the metrics of the web server."""

    def __init__(
        self,
        hub: Hub,
        changes: Changes,
        questions: Questions,
        own: Callable[[], Dict[str, float]],
    ) -> None:
        self._hub, self._changes, self._questions, self._own = hub, changes, questions, own
        self._text, self._text_s = b"", float("-inf")

    async def health(self, request: Request) -> Response:
        """Return `ok`, `degraded` (a source or the accelerator is missing) or `failed`, and no more."""
        states = self._hub.states()
        workers = [state["status"] for state in states if state["kind"] == "worker"]
        sources = [state["status"] for state in states if state["kind"] == "source"]
        if "failed" in workers:
            return as_json({"status": "failed"}, 503)
        is_well = all(one in ("live", "ended") for one in sources)
        is_well = is_well and all(one == "ready" for one in workers)
        return as_json({"status": "ok" if is_well else "degraded"})

    async def metrics(self, request: Request) -> Response:
        """Return all metrics."""
        now_s = time.monotonic()
        if now_s - self._text_s >= FRESH_S:
            self._text_s = now_s
            self._text = prometheus.text({**self._changes.metrics.values(), **self._own()})
        return Response(200, self._text, prometheus.TYPE, {"Cache-Control": "no-store"})

    async def state(self, request: Request) -> Response:
        """Return the model, the states and the numbers."""
        states = self._hub.states()
        self._changes.look()
        return as_json(
            {
                "boot": self._changes.boot,
                "time_s": time.time(),
                "summary": self._hub.feed.summary,
                "sources": [state for state in states if state["kind"] == "source"],
                "workers": [state for state in states if state["kind"] == "worker"],
                "numbers": numbers_of(self._changes.metrics.values()),
                "captures": self._questions.labels(),
                "last_event": self._changes.last_event,
            }
        )

    async def updates(self, request: Request) -> Response:
        """Return the last update of each source."""
        return as_json(self._hub.updates())

    async def events(self, request: Request) -> Response:
        """Return at most `most` events with a number above `after`."""
        after, most = _count(request, "after", 0), _count(request, "most", 100)
        events = self._hub.events(after=after, most=min(max(most, 1), MOST_EVENTS))
        return as_json({"boot": self._changes.boot, "events": events})


def _count(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not text.isascii() or len(text) > 15:
        raise Refused(400, f"{name} is not a number")
    return int(text)
