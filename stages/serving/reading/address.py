"""Addresses of cameras, with user names and passwords that nobody else may see."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from engine.stage import StageError

# What precedes the last @ of an address's host part; a password may itself contain @ or :
_CREDENTIALS = re.compile(r"(?<=://)[^/\s?#]*@")
_SECRET = re.compile(
    r"(?i)([?&;](?:user|usr|pass|password|passwd|pwd|token|key|auth|sig)\w*=)[^&;#\s]*"
)


class Address(NamedTuple):
    """The parts of an address; path includes the query."""

    scheme: str
    host: str
    port: int
    path: str
    user: str
    password: str


def masked(text: str) -> str:
    """Return a text in which addresses have no user name, password or token."""
    return _SECRET.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def parsed(text: str, ports: "dict[str, int]") -> Address:
    """Return the parts of an address whose scheme is in `ports`, with their default ports.

    StageError: it is not a valid address.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise StageError(f"{masked(text)} is not a valid address") from None
    scheme = parts.scheme.lower()
    if not host or scheme not in ports or re.search(r"[\s\x00-\x1f]", text):
        raise StageError(f"{masked(text)} is not a valid address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(scheme, host, port or ports[scheme], path, user, password)
