"""A source, as the supervisor sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, List, Optional, Tuple

from stages.serving.interfaces import SourceState, SourceStatus
from stages.serving.pipeline.frames import Ring

if TYPE_CHECKING:
    import socket


@dataclass
class Place:
    """A source and its process."""

    index: int
    text: str  # as the user wrote it; it may contain a password
    name: str
    kind: str
    ring: Ring
    wake: int  # the painter's pipe
    answers: Tuple[socket.socket, socket.socket]  # the inference process's end and the painter's
    pid: Optional[int] = None
    crashes: List[float] = field(default_factory=list)
    start_s: float = 0.0  # when to start it
    is_given_up: bool = False


def state_of(one: Place, status: SourceStatus, why: str) -> SourceState:
    """Return the state of a source whose camera process has ended."""
    return SourceState(
        kind="source",
        source=one.name,
        type=one.kind,
        status=status,
        why=why,
        size=None,
        fps=0.0,
        captured=0,
        answered=one.ring.counted("answered"),
        dropped=one.ring.dropped(),
        reopened=one.ring.counted("restarts"),
        resized=0,
    )
