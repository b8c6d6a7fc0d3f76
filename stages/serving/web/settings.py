"""What the user decides about the web server, and the limits that protect it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional, Tuple


@dataclass(frozen=True)
class Limits:
    """The most that viewers may use; `_s` are seconds, `_bytes` bytes."""

    connections: int = 256
    per_address: int = 64  # connections
    head_bytes: int = 16 * 1024
    headers: int = 64
    json_bytes: int = 64 * 1024
    picture_bytes: int = 8 * 1024 * 1024
    head_s: float = 10.0  # from the first byte of a request to the end of its head
    idle_s: float = 60.0  # between two requests on one connection
    body_s: float = 30.0
    answer_s: float = 20.0  # until there is something to send
    write_s: float = 10.0  # until the viewer has taken what is sent
    buffer_bytes: int = 64 * 1024  # unsent data of one connection, apart from one picture
    requests_per_s: float = 200.0  # of one address; more are delayed, which costs nothing
    delay_s: float = 1.0  # the longest such delay; what would take longer is refused
    questions: int = 8  # to the model, at the same time
    streams: int = 64  # of events and pictures, at the same time
    tokens_s: float = 5.0  # the longest delay after a wrong token


@dataclass(frozen=True)
class Settings:
    """Where the server listens, and who may use it.

    state: the folder for the token and the self-made certificate. snapshots: the folder whose files
    /snapshots/NAME shows. names: host names by which viewers reach this machine, in addition to its own.
    fps: the most pictures a second that one viewer gets.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 8800  # 0: any
    token_file: Optional[Path] = None  # None: "token" in the state folder
    has_token: bool = True
    tls: Literal["auto", "on", "off"] = "auto"  # auto: unless the host is loopback
    certificate: Optional[Path] = None  # with `key`: the user's own
    key: Optional[Path] = None
    names: Tuple[str, ...] = ()
    snapshots: Optional[Path] = None
    fps: float = 12.0
    limits: Limits = field(default_factory=Limits)
