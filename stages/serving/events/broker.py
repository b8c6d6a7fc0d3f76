"""The address of an MQTT broker, and its password, which is in no command line and no message."""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Mapping
from urllib.parse import SplitResult, urlsplit

from stages.serving.events.capped import safe
from stages.serving.limited import read_text
from stages.serving.mistakes import Mistake, Mistakes
from stages.serving.options import Options

PORTS = {"mqtt": 1883, "mqtts": 8883}
TOPIC = re.compile(r"[^#+\x00/]+(/[^#+\x00/]+)*")
VARIABLE = "MQTT_PASSWORD"
MOST_SECRET_BYTES = 65_536
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Broker:
    """How to reach a broker; `base` begins all topics of this server."""

    host: str
    port: int
    base: str
    has_tls: bool = False
    ca: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def warning(self) -> str:
        """Return what is unsafe, or nothing."""
        is_open = self.password and not self.has_tls and self.host not in LOOPBACK
        return "the broker's password is sent unencrypted; mqtts:// encrypts it" if is_open else ""


def broker_of(options: Options, name: str, environment: Mapping[str, str] = os.environ) -> Broker:
    """Return the broker of the options; raise Mistakes. name: of the package, for topics."""
    parts, port = _address(options.mqtt)
    found: List[Mistake] = []
    password = environment.get(VARIABLE, "")
    if options.mqtt_password_file:
        password = _secret(options.mqtt_password_file, found)
    if options.mqtt_ca:
        _check_ca(options.mqtt_ca, parts, found)
    if password and not parts.username:
        what = "there is a password, but no user"
        found.append(
            Mistake(
                f"mqtt={options.mqtt}", what, f"write mqtt={parts.scheme}://USER@{parts.netloc}"
            )
        )
    base = parts.path.strip("/") or f"raspberrypi-mlops/{safe(socket.gethostname())}-{safe(name)}"
    if not TOPIC.fullmatch(base):
        what = f"{base!r} cannot begin a topic"
        found.append(
            Mistake(f"mqtt={options.mqtt}", what, "use letters, digits, _, - and single /")
        )
    if found:
        raise Mistakes(found)
    has_tls = parts.scheme == "mqtts"
    user = parts.username or ""
    return Broker(parts.hostname or "", port, base, has_tls, options.mqtt_ca, user, password)


def _address(text: str) -> "tuple[SplitResult, int]":
    where, fix = "mqtt=...", "write mqtt=mqtt://HOST, or mqtts://USER@HOST:8883/TOPIC"
    try:
        parts = urlsplit(text)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:  # the port, or brackets
        raise Mistakes([Mistake(where, f"it is not an address: {error}", fix)]) from None
    if parts.password is not None:
        what = "a password here would be seen by every user of this machine"
        fix = f"remove it; give mqtt_password_file=FILE, or set the variable {VARIABLE}"
        raise Mistakes([Mistake(where, what, fix)])
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment:
        raise Mistakes([Mistake(f"mqtt={text}", "it is not the address of a broker", fix)])
    return parts, port


def _check_ca(ca: str, parts: SplitResult, mistakes: List[Mistake]) -> None:
    """Refuse a certificate that cannot be read, or would not be used."""
    what, fix = "", "give the path of a .pem file"
    if parts.scheme != "mqtts":
        what, fix = "mqtt:// does not use it", f"write mqtt=mqtts://{parts.netloc}"
    else:
        try:
            ssl.create_default_context(cafile=ca)
        except (OSError, ValueError) as error:
            what = f"it cannot be read as a certificate: {getattr(error, 'reason', None) or error}"
            if isinstance(error, FileNotFoundError):
                what = "there is no such file"
    if what:
        mistakes.append(Mistake(f"mqtt_ca={ca}", what, fix))


def _secret(file: str, mistakes: List[Mistake]) -> str:
    """Return the first line of a file."""
    try:
        lines = read_text(Path(file), MOST_SECRET_BYTES).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = f"it cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}"
        fix = "give the path of a file with the password"
        mistakes.append(Mistake(f"mqtt_password_file={file}", what, fix))
        return ""
    return lines[0].strip() if lines else ""
