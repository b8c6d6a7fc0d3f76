"""Opens the server's socket, and refuses addresses that would expose it without token and TLS."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from engine.stage import StageError

if TYPE_CHECKING:
    from stages.serving.web.settings import Settings

BACKLOG = 128


def uses_tls(settings: Settings) -> bool:
    """Return whether the server speaks HTTPS; raise StageError if it would be exposed unprotected."""
    has_files = bool(settings.certificate or settings.key)
    if settings.tls == "off" and has_files:
        raise StageError("tls=off contradicts certificate= and key=: remove one of them")
    is_local = is_loopback(settings.host)
    encrypts = settings.tls == "on" or has_files or (settings.tls == "auto" and not is_local)
    if is_local:
        return encrypts
    if not settings.has_token:
        raise StageError(
            f"host={settings.host} lets other machines connect, so the server needs a token: use one, "
            "or host=127.0.0.1"
        )
    if not encrypts:
        raise StageError(
            f"host={settings.host} lets other machines connect, so the server needs TLS: remove "
            "tls=off, or use host=127.0.0.1 behind a proxy that encrypts"
        )
    return True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, not inheritable; StageError: the address cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise StageError(f"host={host} is not an address of this machine: {error}") from None
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        found.bind(address)
        found.listen(BACKLOG)
        found.setblocking(False)
    except OSError as error:
        found.close()
        raise StageError(
            f"the server cannot listen on {host}, port {port}: {error.strerror}; choose another "
            "port=, or end the program that uses this one"
        ) from None
    return found
