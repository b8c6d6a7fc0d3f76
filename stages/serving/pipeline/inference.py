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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Sequence, cast

from engine.stage import StageError
from stages import accelerator as accelerators
from stages.serving.interfaces import Update
from stages.serving.pipeline import wire
from stages.serving.pipeline.asking import Asked
from stages.serving.pipeline.frames import PAINTER, Reader
from stages.serving.pipeline.job import Channels, Job, Stream
from stages.serving.pipeline.pace import Pace, Turn
from stages.serving.pipeline.settings import Settings
from stages.tasks.task import set_time
from stages.tflite.turns import waited_s

if TYPE_CHECKING:
    from stages.tasks.task import Looker, Task

IN_A_ROW = 3  # frames that fail one after another before the models are opened again
IDLE_S = 0.5  # longest wait, after which the thread looks whether anything is new
SWITCH_S = 0.0005  # of Python's lock: a thread whose inference ends must not wait 5 ms for it


class GivenUp(Exception):
    """The task fails at frame after frame; the models should be opened again."""


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
    """Return the accelerator that answers: none, for the CPU, if the task does not run on it."""
    found = accelerators.of(accelerator)
    return accelerator if found is None or found.TITLE in task.ran_on else "none"


def _fail(channels: Channels, why: str) -> None:
    channels.reports.send(wire.packed({"kind": "failed", "why": why}), 1.0)
    os._exit(1)


class Worker:
    """Answers frames in two threads, so that one prepares or sends while the other's inference runs.

    If the task has `look` and `conclude`, both threads look at the same time, each just before the
    accelerator is free, and conclude in the order of frames. Otherwise they answer in turn.
    """

    def __init__(
        self,
        task: Task,
        on: str,
        streams: Sequence[Stream],
        channels: Channels,
        settings: Settings,
    ) -> None:
        self._task, self._streams, self._channels = task, streams, channels
        self._settings = settings
        self._accelerator = "cpu" if on == "none" else on
        has_phases = hasattr(task, "look") and hasattr(task, "conclude")
        self._looker = cast("Looker", task) if has_phases else None
        self._asked = Asked(task, channels.asked, channels.replies)
        self._readers = [[Reader(one.ring, thread) for one in streams] for thread in (0, 1)]
        self._taking, self._answering = threading.Lock(), threading.Lock()
        self._concluding, self._sending = Turn(), Turn()
        self._places = 0
        self._pace = Pace()
        self._next = 0  # the stream that is looked at first

    def run(self) -> None:
        report = {"kind": "opened", "ran_on": self._task.ran_on, "accelerator": self._accelerator}
        self._channels.reports.send(wire.packed(report), 1.0)
        sys.setswitchinterval(SWITCH_S)
        gc.freeze()  # what is there stays
        if self._streams:
            threading.Thread(target=self._loop, args=(1,), daemon=True).start()
        self._loop(0)

    def _loop(self, thread: int) -> None:
        step = self._look if self._looker else self._follow
        try:
            while True:
                job = step(thread)
                if job is None:
                    self._wait(thread)
                    continue
                self._send(job)
                self._judge(job)
                if thread == 0 and self._asked.is_waiting():
                    self._answer_question()
        except GivenUp as error:
            _fail(self._channels, str(error))
        except Exception as error:
            _fail(self._channels, f"{type(error).__name__}: {error}")

    def _follow(self, thread: int) -> Optional[Job]:
        """Answer the newest frame; the other thread waits before it takes one."""
        with self._answering:
            job = self._take(thread)
            if job is None:
                return None
            with self._channels.busy.thread(thread), self._noting(job):
                job.answer = self._task.answer(job.frame.pixels, self._state(job))
                self._complete(job)
        return job

    def _look(self, thread: int) -> Optional[Job]:
        """Answer the newest frame while the other thread may answer another one."""
        assert self._looker
        self._pace.sleep()
        job = self._take(thread)
        if job is None:
            return None
        with self._channels.busy.thread(thread):
            before_s = waited_s()
            with self._noting(job):
                job.looked = self._looker.look(job.frame.pixels)
            wait_s = waited_s() - before_s
            self._pace.looked(time.monotonic(), time.monotonic() - job.start_s - wait_s, wait_s)
            self._concluding.wait(job.place)
            if job.error is None:
                with self._noting(job):
                    state = self._state(job)
                    job.answer = self._looker.conclude(job.looked, job.frame.size, state)
                    job.start_s += wait_s
                    self._complete(job)
            self._concluding.done(job.place)
        return job

    def _take(self, thread: int) -> Optional[Job]:
        """Take the newest frame of the next stream that has one."""
        with self._taking:
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
                self._places += 1
                return Job(stream, reader, frame, self._places, time.monotonic())
        return None

    def _wait(self, thread: int) -> None:
        """Fulfil what painters wish, and wait for a frame; the first thread also answers questions."""
        with self._taking:
            if not self._sending.is_behind(self._places):
                for stream, reader in zip(self._streams, self._readers[thread]):
                    self._hand_over(stream, reader)
        places: List[Any] = [self._channels.wake] if self._streams else []
        ready, _, _ = select.select(places + ([self._asked] if thread == 0 else []), [], [], IDLE_S)
        if self._channels.wake in ready:
            with suppress(BlockingIOError):  # the other thread was faster
                os.read(self._channels.wake, 65536)
        if self._asked in ready:
            self._answer_question()

    def _answer_question(self) -> None:
        with self._answering, self._channels.busy.thread(0):
            self._asked.answer()

    @staticmethod
    @contextmanager
    def _noting(job: Job) -> Iterator[None]:
        """Note an error as the job's."""
        try:
            yield
        except Exception as error:
            job.error = error

    def _state(self, job: Job) -> Any:
        """Return the state of the frame's clip, and tell it the time."""
        stream, frame = job.stream, job.frame
        is_single = frame.is_still and not self._task.follows
        if frame.clip != stream.clip or is_single:
            stream.state, stream.clip = self._task.new_state(is_single), frame.clip
        set_time(stream.state, frame.time_s)
        return stream.state

    @staticmethod
    def _complete(job: Job) -> None:
        """Check that the answer is to this frame, and note how long it took."""
        if not job.reader.is_intact(job.frame):
            raise StageError("the frame was overwritten while it was answered")
        job.infer_ms = (time.monotonic() - job.start_s) * 1000

    def _send(self, job: Job) -> None:
        """Send the answer, in the order of frames, or count the failure."""
        self._sending.wait(job.place)
        with self._noting(job):
            if job.error is None:
                self._channels.messages.send(wire.packed(self._update(job)))
                job.stream.last = job.frame, job.answer
                self._hand_over(job.stream, job.reader)
        job.stream.ring.add("failed" if job.error else "answered")
        job.reader.release(job.frame)
        self._sending.done(job.place)

    def _update(self, job: Job) -> Update:
        frame = job.frame
        return Update(
            kind="update",
            source=job.stream.name,
            frame=frame.frame,
            time_s=frame.time_s,
            size=frame.size,
            answer=job.answer,
            detections=self._task.detections(job.answer),
            age_ms=round((time.monotonic() - frame.since_s) * 1000, 3),
            infer_ms=round(job.infer_ms, 3),
            accelerator=self._accelerator,
        )

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

    @staticmethod
    def _judge(job: Job) -> None:
        """Give up after several failures in a row."""
        error, stream = job.error, job.stream
        stream.errors = stream.errors + 1 if error else 0
        if stream.errors >= IN_A_ROW:
            is_said = isinstance(error, StageError)
            raise GivenUp(str(error) if is_said else f"{type(error).__name__}: {error}")
