"""Decides which Host and Origin headers are accepted.

A page of another site can make a browser send requests here (CSRF), or point its own name at this address
(DNS rebinding). So the host must be an IP address or a known name, and the origin the host itself.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import FrozenSet, Iterable, Optional
from urllib.parse import urlsplit

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


def known_names(more: Iterable[str], hostname: str = "") -> FrozenSet[str]:
    """Return the names by which this machine may be called, in lower case."""
    own = (hostname or socket.gethostname()).lower()
    short = own.partition(".")[0]
    return frozenset({"localhost", own, short, f"{short}.local", *(one.lower() for one in more)})


def is_known_host(host: str, names: FrozenSet[str]) -> bool:
    """Return whether a Host header is an IP address or one of the names, with any port.

    The port may differ from ours behind a tunnel; an IP address cannot be rebound.
    """
    found = _HOST.fullmatch(host)
    if not found:
        return False
    name = found.group(1).lower().rstrip(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name in names
    return True


def is_own_origin(origin: Optional[str], host: str) -> bool:
    """Return whether an Origin header, if there is one, is the page of this server.

    The scheme is not compared, because a proxy may add TLS.
    """
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
