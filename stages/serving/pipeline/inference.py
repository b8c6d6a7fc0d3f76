"""The process that answers: opens the package's models, takes the newest frame of each source in turn,
and what the main process asks.

Answers go to the main process, and to the camera process if it wants to draw them. The supervisor sees
in shared memory since when each thread has been busy, and ends the process if that is too long.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple, cast

from engine.stage import StageError
from stages.serving.interfaces import Update
from stages.serving.pipeline import wire
from stages.serving.pipeline.asking import Asked
from stages.serving.pipeline.busy import Busy
from stages.serving.pipeline.frames import PAINTER, Frame, Reader, Ring
from stages.serving.pipeline.settings import Settings
from stages.tasks.task import set_time

if TYPE_CHECKING:
    import socket

    from stages.tasks.task import Looker, Task

IN_A_ROW = 3  # frames that fail one after another before the models are opened again
IDLE_S = 0.5  # longest wait, after which the thread looks whether anything is new
SWITCH_S = 0.0005  # of Python's lock: a thread whose inference ends must not wait 5 ms for it
EDGE_TPU = "Edge TPU"  # in a task's `ran_on`


class GivenUp(Exception):
    """The task fails at frame after frame; the models should be opened again."""


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
    reports: wire.Sender  # to the supervisor
    busy: Busy


def run(
    package: Path,
    accelerator: str,
    streams: Sequence[Stream],
    channels: Channels,
    settings: Settings,
) -> None:
    """Open the package and answer until the process is ended; report failures before it ends."""
    try:
        with channels.busy.thread(0):
            task = importlib.import_module(settings.tasks).open_task(
                package, accelerator, settings.runtime, settings.threads
            )
        Worker(task, used(task, accelerator), streams, channels, settings).run()
    except StageError as error:
        _fail(channels, str(error))
    except Exception as error:
        _fail(channels, f"{type(error).__name__}: {error}")


def used(task: Task, accelerator: str) -> str:
    """Return the accelerator that answers: none, for the CPU, if the Edge TPU is not usable."""
    return accelerator if accelerator != "edgetpu" or EDGE_TPU in task.ran_on else "none"


def _fail(channels: Channels, why: str) -> None:
    channels.reports.send(wire.packed({"kind": "failed", "why": why}), 1.0)
    os._exit(1)


class Worker:
    """Answers frames in one thread, or in two, so that one prepares while the other's inference runs.

    Two are used if the task has `look` and `conclude`: `look` is called at once by both threads,
    `conclude` in the order of frames.
    """

    def __init__(
        self, task: Task, on: str, streams: Sequence[Stream], channels: Channels, settings: Settings
    ) -> None:
        self._task, self._streams, self._channels = task, streams, channels
        self._settings = settings
        self._accelerator = "cpu" if on == "none" else on
        has_phases = hasattr(task, "look") and hasattr(task, "conclude")
        self._looker = cast("Looker", task) if has_phases else None
        self._asked = Asked(task, channels.asked, channels.messages)
        self._readers = [[Reader(one.ring, thread) for one in streams] for thread in (0, 1)]
        self._turn = Turn()
        self._next = 0  # the stream that is looked at first
        self._done_s = 0.0  # when the last answer was complete
        self._failure: Optional[str] = None

    def run(self) -> None:
        report = {"kind": "opened", "ran_on": self._task.ran_on, "accelerator": self._accelerator}
        self._channels.reports.send(wire.packed(report), 1.0)
        sys.setswitchinterval(SWITCH_S)
        gc.freeze()  # what is there stays
        if self._looker and self._streams:
            threading.Thread(target=self._loop, args=(1,), daemon=True).start()
        self._loop(0)

    def _loop(self, thread: int) -> None:
        try:
            while True:
                taken = self._take(thread)
                if taken is None:
                    self._wait(thread)
                    continue
                with self._channels.busy.thread(thread):
                    self._answer(thread, *taken)
        except GivenUp as error:
            _fail(self._channels, str(error))
        except Exception as error:
            _fail(self._channels, f"{type(error).__name__}: {error}")

    def _take(self, thread: int) -> "Optional[Tuple[Stream, Reader, Frame, int]]":
        """Return the newest frame of the next stream that has one, and its place in the order."""
        with self._turn.lock:
            for at in range(len(self._streams)):
                which = (self._next + at) % len(self._streams)
                stream, reader = self._streams[which], self._readers[thread][which]
                if reader.newest() in (0, stream.seen):
                    continue
                frame = reader.take()
                if frame is None:
                    continue
                stream.seen = reader.pointer(frame)
                self._next = (which + 1) % len(self._streams)
                return stream, reader, frame, self._turn.ticket()
        return None

    def _wait(self, thread: int) -> None:
        """Wait for a frame; the first thread also answers what is asked, and what painters wish."""
        if thread == 0 and not self._turn.is_busy():
            for stream, reader in zip(self._streams, self._readers[0]):
                self._hand_over(stream, reader)
        places: List[Any] = [self._channels.wake] if self._streams else []
        ready, _, _ = select.select(places + ([self._asked] if thread == 0 else []), [], [], IDLE_S)
        if self._channels.wake in ready:
            with suppress(BlockingIOError):  # the other thread was faster
                os.read(self._channels.wake, 65536)
        if self._asked in ready:
            with self._channels.busy.thread(0):
                self._asked.answer()

    def _answer(
        self, thread: int, stream: Stream, reader: Reader, frame: Frame, ticket: int
    ) -> None:
        start_s = time.monotonic()
        answer: Any = None
        error: Optional[Exception] = None
        looked: Any = None
        try:
            if self._looker:
                looked = self._looker.look(frame.pixels)
        except Exception as caught:
            error = caught
        self._turn.wait(ticket)
        try:
            if error is None:
                answer = self._concluded(stream, frame, looked)
                self._send(stream, reader, frame, answer, start_s)
        except Exception as caught:
            error = caught
        finally:
            if error is not None:
                stream.ring.add("failed")
                reader.release(frame)
            self._turn.done(ticket)
        self._judge(stream, error)
        if thread == 0 and self._asked.is_waiting():
            self._asked.answer()

    def _concluded(self, stream: Stream, frame: Frame, looked: Any) -> Any:
        follows = frame.clip == stream.clip
        if not follows or (frame.is_still and not self._task.follows):
            stream.state = self._task.new_state(frame.is_still and not self._task.follows)
            stream.clip = frame.clip
        set_time(stream.state, frame.time_s)
        if self._looker:
            return self._looker.conclude(looked, frame.size, stream.state)
        return self._task.answer(frame.pixels, stream.state)

    def _send(
        self, stream: Stream, reader: Reader, frame: Frame, answer: Any, start_s: float
    ) -> None:
        if not reader.is_intact(frame):
            raise StageError("the frame was overwritten while it was answered")
        now_s = time.monotonic()
        since_s, self._done_s = max(start_s, self._done_s), now_s
        update = Update(
            kind="update",
            source=stream.name,
            frame=frame.frame,
            time_s=frame.time_s,
            size=frame.size,
            answer=answer,
            detections=self._task.detections(answer),
            age_ms=round((now_s - frame.since_s) * 1000, 3),
            infer_ms=round((now_s - since_s) * 1000, 3),
            accelerator=self._accelerator,
        )
        data = wire.packed(update)
        self._channels.messages.send(data)
        stream.last = frame, answer
        self._hand_over(stream, reader)
        stream.ring.add("answered")
        reader.release(frame)

    @staticmethod
    def _hand_over(stream: Stream, reader: Reader) -> None:
        """Give the last answer to the painter if it wishes one and the frame is still there."""
        if stream.last is None or not reader.is_wished():
            return
        frame, answer = stream.last
        reader.hand_over(frame)
        drawn = {"slot": frame.slot, "number": frame.number, "answer": answer}
        if not reader.is_intact(frame):
            stream.ring.release(frame.slot, PAINTER)
            reader.wish()
        elif not stream.answers.send(wire.packed(drawn)):
            stream.ring.release(frame.slot, PAINTER)

    def _judge(self, stream: Stream, error: Optional[Exception]) -> None:
        """Give up after several failures in a row."""
        stream.errors = stream.errors + 1 if error else 0
        if stream.errors >= IN_A_ROW:
            text = (
                str(error) if isinstance(error, StageError) else f"{type(error).__name__}: {error}"
            )
            raise GivenUp(text)


class Turn:
    """The order of frames: a frame's answer is concluded after those of all frames taken before it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._condition = threading.Condition()
        self._given = self._served = 0

    def ticket(self) -> int:
        """Return the next place in the order; called under the lock."""
        self._given += 1
        return self._given

    def is_busy(self) -> bool:
        """Return whether an answer is not complete."""
        return self._given != self._served

    def wait(self, ticket: int) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._served == ticket - 1)

    def done(self, ticket: int) -> None:
        with self._condition:
            self._served = ticket
            self._condition.notify_all()
