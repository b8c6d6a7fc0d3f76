"""Asks a network camera over HTTP, with limits on everything that it may answer.

A camera may not send the reader elsewhere: redirects lead only to the same host, by HTTP.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import re
import secrets
import socket
import threading
from typing import Dict, Optional, Union
from urllib.parse import urljoin

from engine.stage import StageError
from stages.serving.interfaces import NoSignal
from stages.serving.reading.address import Address, parsed

PORTS = {"http": 80, "https": 443}
_READ_BYTES = 1 << 16
_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class Connection:
    """One request after another to a camera.

    silent_s: the limit for connecting and for each wait for data; also for the whole head of an answer,
    so that a camera which sends an endless one is given up.
    """

    def __init__(self, address: Address, silent_s: float) -> None:
        self._address, self._silent_s = address, silent_s
        self._connection: Optional[http.client.HTTPConnection] = None
        self._answer: Optional[http.client.HTTPResponse] = None
        self._socket: Optional[socket.socket] = None
        self._is_late = False

    def get(self) -> str:
        """Ask for the address, and return the type of what comes. NoSignal: why nothing comes."""
        authorization = _basic(self._address) if self._address.user else ""
        redirects = 0
        while True:
            answer = self._ask(authorization)
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status == 200:
                return answer.headers.get("Content-Type", "").strip().lower()
            if answer.status in _REDIRECTS and redirects < _MOST_REDIRECTS:
                redirects += 1
                self._address = _elsewhere(self._address, answer.headers.get("Location", ""))
            elif answer.status == 401 and _may_digest(self._address, challenge, authorization):
                authorization = _digest(self._address, challenge)
            elif answer.status in (401, 403):
                raise NoSignal(f"the camera refuses this user and password (HTTP {answer.status})")
            else:
                raise NoSignal(f"the camera answers HTTP {answer.status}")

    def read(self) -> bytes:
        """Return the next data; empty at the end."""
        assert self._answer is not None
        try:
            return self._answer.read1(_READ_BYTES)
        except socket.timeout:
            raise NoSignal(f"no data for {self._silent_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoSignal(f"the connection broke: {_reason(error)}") from None

    def interrupt(self) -> None:
        """End a wait for data in another thread."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        if self._answer is not None:
            self._answer.close()
        if self._connection is not None:
            self._connection.close()

    def _ask(self, authorization: str) -> http.client.HTTPResponse:
        self.close()
        address = self._address
        kind = (
            http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(address.host, address.port, timeout=self._silent_s)
        headers: Dict[str, str] = {"Accept": "multipart/x-mixed-replace, image/jpeg"}
        if authorization:
            headers["Authorization"] = authorization
        limit = threading.Timer(self._silent_s, self._give_up)
        limit.daemon = True
        limit.start()
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("GET", address.path, headers=headers)
            self._answer = self._connection.getresponse()
        except socket.timeout:
            self._is_late = True
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._is_late:
                raise NoSignal(f"it cannot be opened: {_reason(error)}") from None
        finally:
            limit.cancel()
        if self._is_late:  # http.client may take the end of the connection for that of the head
            raise NoSignal(f"no answer for {self._silent_s:g} s")
        assert self._answer is not None
        return self._answer

    def _give_up(self) -> None:
        self._is_late = True
        self.interrupt()


def _reason(error: Union[OSError, Exception]) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).partition("\n")[0][:200]


def _elsewhere(before: Address, location: str) -> Address:
    """Return the address of a redirect, with the same user; NoSignal: it leads to another host."""
    host = f"[{before.host}]" if ":" in before.host else before.host
    try:
        after = parsed(
            urljoin(f"{before.scheme}://{host}:{before.port}{before.path}", location), PORTS
        )
    except (StageError, ValueError):
        raise NoSignal("the camera redirects to something else than HTTP") from None
    if after.host != before.host or (before.scheme, after.scheme) == ("https", "http"):
        raise NoSignal("the camera redirects to another host; give that address")
    return after._replace(user=before.user, password=before.password)


def _basic(address: Address) -> str:
    words = f"{address.user}:{address.password}".encode()
    return "Basic " + base64.b64encode(words).decode()


def _may_digest(address: Address, challenge: str, sent: str) -> bool:
    is_asked = challenge.lower().startswith("digest ")
    return bool(address.user) and is_asked and not sent.startswith("Digest ")


def _digest(address: Address, challenge: str) -> str:
    """Return the answer to a challenge (RFC 7616 with MD5, or SHA-256, and qop=auth or none)."""
    fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(challenge)}
    algorithm = fields.get("algorithm", "MD5").upper()
    if algorithm not in ("MD5", "SHA-256"):
        raise NoSignal(
            f"the camera asks for a password by {algorithm[:40]}, which is not supported"
        )

    def digest(*words: str) -> str:
        text = ":".join(words).encode()
        return hashlib.new(algorithm.replace("-", "").lower(), text).hexdigest()

    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    ours, once = digest(address.user, realm, address.password), secrets.token_hex(8)
    asked = digest("GET", address.path)
    parts = {"username": address.user, "realm": realm, "nonce": nonce, "uri": address.path}
    if "qop" in fields:
        parts["response"] = digest(ours, nonce, "00000001", once, "auth", asked)
    else:
        parts["response"] = digest(ours, nonce, asked)
    if "opaque" in fields:
        parts["opaque"] = fields["opaque"]
    text = ", ".join(f'{name}="{_quoted(value)}"' for name, value in parts.items())
    extra = f', qop=auth, nc=00000001, cnonce="{once}"' if "qop" in fields else ""
    return f"Digest {text}, algorithm={algorithm}{extra}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
