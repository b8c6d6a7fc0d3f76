"""Opens the server's socket, and refuses addresses that would expose it without token and TLS."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

from stages.serving.mistakes import refused

if TYPE_CHECKING:
    from stages.serving.mistakes import Mistakes
    from stages.serving.web.settings import Settings

BACKLOG = 128
FIX_HOST = "use host=127.0.0.1 for this machine alone, or host=0.0.0.0 for the network"


def uses_tls(settings: Settings) -> bool:
    """Return whether the server speaks HTTPS; raise Mistakes if it would be exposed unprotected."""
    has_files = bool(settings.certificate or settings.key)
    if settings.tls == "off" and has_files:
        given = "certificate" if settings.certificate else "key"
        what = f"it contradicts {given}={getattr(settings, given)}"
        raise refused("tls=off", what, "remove tls=off, or certificate= and key=")
    is_local = is_loopback(settings.host)
    encrypts = settings.tls == "on" or has_files or (settings.tls == "auto" and not is_local)
    if is_local:
        return encrypts
    if not settings.has_token:
        what = "it lets other machines connect, so the server needs a token"
        raise refused(f"host={settings.host}", what, "use a token, or host=127.0.0.1")
    if not encrypts:
        what = "it lets other machines connect, so the server needs TLS"
        fix = "remove tls=off, or use host=127.0.0.1 behind a proxy that encrypts"
        raise refused(f"host={settings.host}", what, fix)
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
    """Return a listening socket, not inheritable; Mistakes: the address cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "the name is not valid"
        what = f"it is not an address of this machine: {why}"
        raise refused(f"host={host}", what, FIX_HOST) from None
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
        raise _unusable(host, port, error) from None
    return found


def _unusable(host: str, port: int, error: OSError) -> Mistakes:
    """Return the mistake of an address at which the system does not let the server listen."""
    what = f"the server cannot listen on {host}, port {port}: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        fix = "choose another port=, or end the program that uses this one"
        return refused(f"port={port}", what, fix)
    if error.errno == errno.EACCES:
        return refused(f"port={port}", what, "choose a port= above 1023, such as 8800")
    return refused(f"host={host}", what, FIX_HOST)
