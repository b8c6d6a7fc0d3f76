"""What the inference process works on: sources, frames that were taken, and the channels to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Tuple

from stages.serving.pipeline import wire
from stages.serving.pipeline.busy import Busy
from stages.serving.pipeline.frames import Frame, Reader, Ring

if TYPE_CHECKING:
    import socket


@dataclass
class Stream:
    """A source, as the inference process sees it."""

    name: str
    ring: Ring
    answers: wire.Sender  # to its camera process
    seen: int = 0  # the newest frame that was taken
    clip: int = -1
    state: Any = None
    errors: int = 0  # in a row
    last: Optional[Tuple[Frame, Any]] = None  # the last answer


@dataclass(frozen=True)
class Channels:
    """How an inference process talks."""

    wake: int  # the pipe with a byte for each new frame
    asked: socket.socket
    messages: wire.Sender  # to the main process
    replies: wire.Sender  # to its questions
    reports: wire.Sender  # to the supervisor
    busy: Busy


@dataclass
class Job:
    """A frame that was taken, and what became of it."""

    stream: Stream
    reader: Reader
    frame: Frame
    place: int  # in the order of frames
    start_s: float
    looked: Any = None
    answer: Any = None
    infer_ms: float = 0.0
    error: Optional[Exception] = None
