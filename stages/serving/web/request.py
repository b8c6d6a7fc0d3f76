"""Reads the head of an HTTP request, strictly: what two programs could understand differently is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Optional
from urllib.parse import parse_qsl, unquote_to_bytes

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"/[!-~]*")  # origin form, printable ASCII
_VERSION = re.compile(rb"HTTP/1\.[01]")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")
_ONCE = frozenset({"host", "content-length", "content-type", "authorization", "origin", "cookie"})
_MOST_PARAMETERS = 16


class Refused(Exception):
    """A request that gets an error, perhaps later: its status, and a sentence for the viewer."""

    def __init__(self, status: int, why: str, delay_s: float = 0.0, **headers: str) -> None:
        super().__init__(why)
        self.status, self.why, self.delay_s = status, why, delay_s
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Request:
    """A request; header names are in lower case, path and query are decoded.

    address: of the viewer.
    """

    method: str
    path: str
    query: Dict[str, str]
    headers: Dict[str, str]
    is_1_1: bool = True
    address: str = ""
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Return a header's value, or an empty text."""
        return self.headers.get(name, "")

    @property
    def keeps_alive(self) -> bool:
        """Whether the viewer wants to use the connection again."""
        options = {one.strip().lower() for one in self.header("connection").split(",")}
        return "close" not in options if self.is_1_1 else "keep-alive" in options

    @property
    def length(self) -> Optional[int]:
        """The size of the body in bytes, or None if it is not given."""
        text = self.header("content-length")
        return int(text) if text else None


def parse(head: bytes, most_headers: int) -> Request:
    """Return the request of a head, which ends with an empty line; raise Refused."""
    first, *lines = head[:-4].split(b"\r\n")
    if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b""):
        raise Refused(400, "a line of the request does not end with CR LF")
    words = first.split(b" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]):
        raise Refused(400, "the request line is malformed")
    method, target, version = words
    if not _VERSION.fullmatch(version):
        is_http = re.fullmatch(rb"HTTP/\d(\.\d)?", version)
        raise Refused(505 if is_http else 400, "the server speaks HTTP/1.1")
    if not _TARGET.fullmatch(target):
        raise Refused(400, "the target is not a path of printable ASCII characters")
    headers = _headers(lines, most_headers)
    path, _, query = target.partition(b"?")
    request = Request(
        method.decode("ascii"), _path(path), _query(query), headers, version.endswith(b"1")
    )
    _check_body(request)
    return request


def _headers(lines: "list[bytes]", most: int) -> Dict[str, str]:
    if len(lines) > most:
        raise Refused(431, f"the request has more than {most} headers")
    found: Dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Refused(400, "a header is malformed")
        key, text = name.decode("ascii").lower(), value.decode("latin-1").strip(" \t")
        if key in found and key in _ONCE:
            raise Refused(400, f"the header {key} is repeated")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _path(raw: bytes) -> str:
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "the path is not UTF-8") from None
    if not path.isprintable() or "\\" in path:
        raise Refused(400, "the path has characters that are not allowed")
    return path


def _query(raw: bytes) -> Dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise Refused(400, "the query is malformed") from None
    return dict(pairs)


def _check_body(request: Request) -> None:
    if "transfer-encoding" in request.headers:
        raise Refused(501, "a body needs Content-Length; Transfer-Encoding is not supported")
    length = request.header("content-length")
    if "content-length" in request.headers and not re.fullmatch(r"[0-9]{1,15}", length, re.ASCII):
        raise Refused(400, "Content-Length is not a number")
    if request.is_1_1 and "host" not in request.headers:
        raise Refused(400, "the request has no Host header")
