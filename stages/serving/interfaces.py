"""The interfaces between the parts of the server: sources, pipeline, and everything that shows or
records answers. Types only.

A server is three kinds of processes. The camera process of each source decodes and draws; one
inference process per accelerator answers; the main process serves HTTP and runs the rules. Frames
never enter the main process: it gets updates, states, and JPEG pictures that somebody wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    List,
    Literal,
    Optional,
    Protocol,
    Tuple,
    TypedDict,
    Union,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Buffer = Callable[[int, int], "NDArray[np.uint8]"]

SourceStatus = Literal["starting", "live", "no_signal", "frozen", "ended", "failed"]
WorkerStatus = Literal["starting", "ready", "restarting", "fallback", "failed"]


class Ended(Exception):
    """A source has no more frames."""


class NoSignal(Exception):
    """A source cannot be read now; the message says why. Opening it again may help."""


class Source(Protocol):
    """Where frames come from: one file in stages/serving/sources/, found by its name.

    It lives in a camera process and is used by one thread.
    """

    type: str  # the name of its file
    label: str  # as the user wrote it, but without user name and password
    is_live: bool  # it has a speed of its own, and is opened again if it is interrupted
    fps: float  # its own speed; 0: unknown, or as fast as frames are read
    time_s: float  # when the last frame was captured, seconds since 1970
    clip: int  # rises if the next frame does not follow the last: another file, the start again
    is_still: bool  # the last frame is a picture by itself
    dropped: "dict[str, int]"  # cause -> frames: newer, damaged, foreign

    def open(self) -> None:
        """Open it without waiting; raise NoSignal if it cannot be opened now, StageError if never."""

    def read(self, buffer: Buffer) -> Optional[Tuple[int, int]]:
        """Decode the newest frame into `buffer(height, width)`, an RGB array (height, width, 3), and
        return its size; None if no frame arrived within a second. Raise Ended, NoSignal or
        StageError.
        """

    def close(self) -> None:
        """Release it; it may be opened again."""


class Detection(TypedDict):
    """One thing that an answer names, in the same form for all tasks."""

    label: str
    score: Optional[float]
    box: Optional[List[float]]  # top, left, bottom, right in pixels; None: the whole picture
    id: Optional[int]  # the same thing in the next frame has the same id; None: not tracked


class Update(TypedDict):
    """The answer to one frame."""

    kind: Literal["update"]
    source: str
    frame: int  # of the source, from 0; those that were dropped count
    time_s: float  # of capture, seconds since 1970
    size: Tuple[int, int]  # height and width of the frame, to which boxes refer
    answer: Any  # of the task, as JSON data
    detections: List[Detection]
    age_ms: float  # from capture to answer
    infer_ms: float  # of the answer alone
    accelerator: str  # what answered: cpu, or the accelerator's name


class SourceState(TypedDict):
    """The state of a source, sent when it changes and once a second."""

    kind: Literal["source"]
    source: str
    type: str  # webcam, file, rtsp, mjpeg, folder, stdin, libcamera
    status: SourceStatus
    why: str  # a sentence, if it is not live, or not right
    size: Optional[Tuple[int, int]]
    fps: float  # frames answered per second, over the last seconds
    captured: int
    answered: int
    dropped: "dict[str, int]"
    # cause -> frames: newer (a newer frame replaced it), damaged, foreign (not a picture), motion, worker
    reopened: int
    resized: int  # how often the size of its frames changed


class WorkerState(TypedDict):
    """The state of an inference process, sent when it changes and once a second."""

    kind: Literal["worker"]
    accelerator: str  # the one in use: cpu, or its name
    wanted: str  # the one that the target has
    called: str  # the wanted one, as users call it
    status: WorkerStatus
    why: str  # a sentence, if it is not ready
    ran_on: str  # of the task: runtime and processor, as text
    restarts: int
    memory_mb: float


Message = Union[Update, SourceState, WorkerState]


class Column(TypedDict):
    """A column of the rows that a model takes."""

    name: str
    kind: str  # number, category, date
    values: List[str]  # of a category that training knew


class Summary(TypedDict):
    """The packaged model, as the page shows it."""

    task: str
    takes: str  # pictures, sentences, rows, tensors
    name: str
    version: str
    labels: List[str]
    sources: List[str]
    columns: List[Column]  # of rows


@dataclass(frozen=True)
class Picture:
    """A JPEG picture of a source."""

    jpeg: bytes
    frame: int
    time_s: float


class Feed(Protocol):
    """The pipeline, as the main process sees it. Its methods do not block longer than they say, and may
    be called by several threads.
    """

    summary: Summary

    def messages(self, timeout_s: float) -> List[Message]:
        """Return what happened since the last call; wait up to the timeout for something. One caller."""

    def want(self, source: str, who: str, fps: float, drawn: bool = True) -> None:
        """Declare how many pictures a second `who` needs of a source, drawn on or not; 0: no more."""

    def picture(self, source: str, drawn: bool = True) -> Optional[Picture]:
        """Return the newest wanted picture, or None."""

    def ask(self, raw: Any, conversation: str = "", timeout_s: float = 10.0) -> Any:
        """Return the task's answer to a sentence, a row or a JPEG picture (bytes).

        The answer to a picture also has `detections`.
        conversation: inputs with the same word share the task's state. Raise StageError with a sentence
        if the input is refused, TimeoutError if no answer came.
        """

    def close(self) -> None:
        """End all processes."""


class Hub(Protocol):
    """What the main process knows: the last update of each source, states, events, counters.

    Web pages, MQTT and metrics read it; only its own thread changes it.
    """

    feed: Feed

    def updates(self) -> "dict[str, Update]":
        """Return the last update of each source."""

    def states(self) -> "list[Union[SourceState, WorkerState]]":
        """Return the last state of each source and worker."""

    def events(self, after: int = 0, most: int = 100) -> "list[Event]":
        """Return events with a number above `after`, the oldest first."""

    def counters(self) -> "dict[str, float]":
        """Return metrics by their Prometheus name, with labels."""

    def attach(self, number: int, **files: Optional[str]) -> None:
        """Set the name of the `snapshot` or `clip` of an event, and send it again."""

    def detach(self, name: str) -> None:
        """Take a file that was removed from its event, and send that again."""

    def subscribe(self, limit: int = 64) -> "Subscription":
        """Return a queue of everything that happens from now on; a slow reader loses the oldest."""


class Event(TypedDict):
    """Something that a rule found."""

    kind: Literal["event"]
    number: int  # from 1, in the order of events
    rule: str
    source: str
    time_s: float
    state: Literal["began", "ended"]
    text: str  # a sentence
    detection: Optional[Detection]
    snapshot: Optional[str]  # the name of a file below events/, if one is stored
    clip: Optional[str]


class Happening(Protocol):
    """What a reaction needs to know of an event: the rule, and the frame that showed it."""

    @property
    def rule(self) -> Any:
        """The rule (stages.serving.events.rule.Rule)."""

    @property
    def frame(self) -> int:
        """The number of the frame."""


class Reaction(Protocol):
    """What follows from messages and events: MQTT, webhooks, pictures on disk. No method may wait for a
    network or a disk; work is done in a thread of its own.
    """

    def start(self, hub: Hub) -> None:
        """Begin; the hub's feed is usable."""

    def see(self, message: Message) -> None:
        """Take a message of the pipeline."""

    def react(self, event: Event, happening: Happening) -> None:
        """Take an event."""

    def counters(self) -> "dict[str, float]":
        """Return metrics by their Prometheus name, with labels."""

    def close(self) -> None:
        """End within seconds."""


class Captures(Protocol):
    """Frames that the user stores under class names, for the next version of the data."""

    def labels(self) -> List[str]:
        """Return the class names that exist."""

    def save(self, source: str, label: str) -> "dict[str, Any]":
        """Store the newest frame; return JSON data about it. Raise StageError with a sentence if it is
        refused.
        """


class Subscription(Protocol):
    """A bounded queue of messages and events."""

    lost: int  # how many were dropped because the reader was slow

    def get(self, timeout_s: float) -> "Optional[Union[Message, Event]]":
        """Return the next one, or None after the timeout."""

    def close(self) -> None:
        """Stop receiving."""
