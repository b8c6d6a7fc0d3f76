"""Decides who may use the server: known hosts, the server's own page, and the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, FrozenSet
from urllib.parse import parse_qs

from stages.serving.web import static
from stages.serving.web.origin import is_known_host, is_own_origin
from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response

if TYPE_CHECKING:
    from stages.serving.web.access import Access
    from stages.serving.web.static import File

_CHALLENGE = 'Bearer realm="serving"'


class Guard:
    """Checks requests, and answers those that show a token to get in."""

    def __init__(self, access: Access, names: FrozenSet[str], files: Dict[str, File]) -> None:
        self._access, self._names, self._files = access, names, files

    def check_sender(self, request: Request) -> None:
        """Raise Refused if another site's page may have made the request."""
        host = request.header("host")
        if not is_known_host(host, self._names):
            raise Refused(
                403,
                "the server is not known by this name: open it by its IP address, or start it with "
                "names=NAME",
            )
        is_visit = request.header("sec-fetch-mode") == "navigate" and request.path == "/"
        is_foreign = request.header("sec-fetch-site") == "cross-site" and not is_visit
        if is_foreign or not is_own_origin(request.headers.get("origin"), host):
            raise Refused(403, "requests from pages of other sites are refused")

    def check_token(self, request: Request) -> None:
        """Raise Refused if the request has neither the token nor our cookie."""
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
        raise Refused(401, why, delay_s, WWW_Authenticate=_CHALLENGE)

    async def page(self, request: Request) -> Response:
        """Return the page; without the token, the form that asks for it."""
        if "token" in request.query and not self._access.is_open:
            return self._welcome(request, request.query["token"])
        try:
            self.check_token(request)
        except Refused as refused:
            return self._door(request, refused.delay_s)
        return static.answer(self._files["index.html"], request)

    async def enter(self, request: Request) -> Response:
        """Answer the form."""
        try:
            form = parse_qs(request.body.decode("utf-8"), max_num_fields=4)
        except ValueError:
            raise Refused(400, "the form is malformed") from None
        return self._welcome(request, form.get("token", [""])[0].strip())

    async def file(self, request: Request) -> Response:
        """Return a file of the page."""
        file = self._files.get(request.path[len("/static/") :])
        if file is None:
            raise Refused(404, "there is nothing here")
        return static.answer(file, request)

    def _welcome(self, request: Request, token: str) -> Response:
        if not self._access.is_token(token):
            return self._door(request, self._access.delay_s(request.address))
        self._access.forgive(request.address)
        headers = {"Location": "/", "Cache-Control": "no-store"}
        return Response(303, headers={**headers, "Set-Cookie": self._access.set_cookie()})

    def _door(self, request: Request, delay_s: float) -> Response:
        response = static.answer(self._files["enter.html"], request, 401)
        response.headers.update({"Cache-Control": "no-store", "WWW-Authenticate": _CHALLENGE})
        response.delay_s = delay_s
        return response
