"""What the server sends: responses, and the headers that all of them carry."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Dict, Optional, Protocol

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_ALWAYS = "".join(
    f"{name}: {value}\r\n"
    for name, value in (
        ("Content-Security-Policy", _POLICY),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        # Not "no-referrer": browsers would send the door's form with the origin "null".
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    )
)
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Stream(Protocol):
    """The body of a response, piece by piece; an empty piece only lets the connection be checked."""

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...


@dataclass
class Response:
    """A response; a `stream` without a length ends with its connection.

    is_live: a stream that would rather skip than buffer.
    """

    status: int = 200
    body: bytes = b""
    type: str = JSON
    headers: Dict[str, str] = field(default_factory=dict)
    stream: Optional[Stream] = None
    length: Optional[int] = None  # of the stream
    is_live: bool = False
    delay_s: float = 0.0  # before it is sent

    @property
    def has_length(self) -> bool:
        return self.stream is None or self.length is not None


def as_json(data: Any, status: int = 200, **headers: str) -> Response:
    """Return data as JSON; NaN and infinities, which JSON lacks, become null."""
    return Response(status, encode(data), JSON, {"Cache-Control": "no-store", **headers})


def encode(data: Any) -> bytes:
    """Return compact JSON in UTF-8."""
    try:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(data), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def error(status: int, why: str, headers: Optional[Dict[str, str]] = None) -> Response:
    """Return an error as JSON, with a sentence."""
    return Response(
        status, encode({"error": why}), JSON, {"Cache-Control": "no-store", **(headers or {})}
    )


def head(response: Response, keeps_alive: bool) -> bytes:
    """Return the head of a response in HTTP/1.1."""
    status = response.status
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"]
    if status != 204 and status != 304:
        lines.append(f"Content-Type: {response.type}\r\n")
        if response.has_length:
            length = len(response.body) if response.length is None else response.length
            lines.append(f"Content-Length: {length}\r\n")
    lines += [f"{name}: {value}\r\n" for name, value in response.headers.items()]
    lines.append(_ALWAYS)
    lines.append("Connection: keep-alive\r\n\r\n" if keeps_alive else "Connection: close\r\n\r\n")
    return "".join(lines).encode("latin-1", "replace")


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if data - data == 0 else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return data
