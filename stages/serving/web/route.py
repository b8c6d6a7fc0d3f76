"""A route: what answers a request, and what the request may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Awaitable, Callable, Dict, FrozenSet

from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response

if TYPE_CHECKING:
    Handle = Callable[[Request], Awaitable[Response]]

METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}
)


@dataclass(frozen=True)
class Route:
    """is_public: it needs no token. is_question: it keeps a thread busy."""

    handle: Handle
    method: str = "GET"
    body_bytes: int = 0
    is_public: bool = False
    is_question: bool = False

    @property
    def methods(self) -> FrozenSet[str]:
        """The methods that are allowed."""
        more = {"HEAD", "OPTIONS"} if self.method == "GET" else {"OPTIONS"}
        return frozenset({self.method, *more})


def find(routes: Dict[str, Route], path: str) -> Route:
    """Return the route of a path; one that ends with a slash is for everything below it. Raise Refused."""
    if path in routes and (path == "/" or not path.endswith("/")):
        return routes[path]
    folder, _, name = path[1:].partition("/")
    if name and f"/{folder}/" in routes:
        return routes[f"/{folder}/"]
    raise Refused(404, "there is nothing here")


def for_method(route: Route, method: str) -> Route:
    """Return the route if it allows the method, or the answer to OPTIONS; raise Refused."""
    allow = ", ".join(sorted(route.methods))
    if method not in METHODS:
        raise Refused(501, "the server does not know this method")
    if method not in route.methods:
        raise Refused(405, f"the method {method} is not allowed here", Allow=allow)
    return Route(_allowing(allow), "OPTIONS", is_public=True) if method == "OPTIONS" else route


def _allowing(allow: str) -> Handle:
    async def handle(request: Request) -> Response:
        return Response(204, headers={"Allow": allow})

    return handle
