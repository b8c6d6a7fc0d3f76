"""The pipeline as the main process sees it: see `Feed` in interfaces.py."""

from __future__ import annotations

import mmap
import os
import select
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Optional, Tuple

from engine.stage import StageError
from stages.serving.interfaces import Message, Picture, Summary, WorkerState
from stages.serving.pipeline import asking, wire
from stages.serving.pipeline.pictures import DRAWN, PLAIN, Pictures

if TYPE_CHECKING:
    import socket

WAITING = 2000  # messages that a slow caller of `messages` may leave; then the oldest are lost
START_S = 60.0  # to check the package; imports are slow under emulation
CLOSE_S = 5.0


class Pipeline:
    """The processes of a package and its sources."""

    summary: Summary

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        orders: Dict[str, Any],
        ends: "Dict[str, socket.socket]",
        shown: mmap.mmap,
        wakes: List[int],
    ) -> None:
        self._process, self._ends, self._wakes = process, ends, wakes
        self._wants: Dict[Tuple[str, int], Dict[str, float]] = {}
        self._messages: Deque[Message] = deque(maxlen=WAITING)
        self._arrived = threading.Condition()
        self._replies: Dict[int, Any] = {}
        self._pids: Dict[str, int] = {}
        self._lock, self._asking = threading.Lock(), threading.Lock()  # of wants, of questions
        self._questions, self._count = wire.Sender(ends["asked"], 0), 0
        self._worker: Optional[WorkerState] = None
        self._receiver = wire.Receiver(ends["messages"])
        self._is_closed = False
        self._thread: Optional[threading.Thread] = None
        wire.Sender(ends["control"], 0).send(wire.packed(orders), START_S)
        self.summary = self._summary()
        self._names = self.summary["sources"]
        self._pictures = {
            (name, kind): Pictures(shown, at, kind)
            for at, name in enumerate(self._names)
            for kind in (PLAIN, DRAWN)
        }
        self._thread = threading.Thread(target=self._read, name="pipeline", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether no further message will come."""
        return self._is_closed

    def messages(self, timeout_s: float) -> List[Message]:
        """Return what happened since the last call; wait up to the timeout for something."""
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._messages) or self._is_closed, timeout_s)
            found = list(self._messages)
            self._messages.clear()
            return found

    def want(self, source: str, who: str, fps: float, drawn: bool = True) -> None:
        """Declare how many pictures a second `who` needs of a source; 0: no more."""
        kind = DRAWN if drawn else PLAIN
        if (source, kind) not in self._pictures:
            return
        with self._lock:
            wants = self._wants.setdefault((source, kind), {})
            wants.pop(who, None)
            if fps > 0:
                wants[who] = fps
            self._pictures[source, kind].want(max(wants.values(), default=0.0))
            if self._wakes:
                with suppress(OSError):  # the pipe is full, or its reader has gone
                    os.write(self._wakes[self._names.index(source)], b"\0")

    def picture(self, source: str, drawn: bool = True) -> Optional[Picture]:
        """Return the newest wanted picture, or None."""
        found = self._pictures.get((source, DRAWN if drawn else PLAIN))
        return found.get() if found else None

    def ask(self, raw: Any, conversation: str = "", timeout_s: float = 10.0) -> Any:
        """Return the task's answer to a sentence, a row or a JPEG picture (bytes)."""
        end_s, restarts = time.monotonic() + timeout_s, self._restarts()
        if self._worker and self._worker["status"] == "failed":
            raise StageError(f"nothing answers: {self._worker['why']}")
        is_sent = False
        if self._asking.acquire(timeout=timeout_s):
            try:
                self._count += 1
                number = self._count
                question = asking.question(number, raw, conversation)
                is_sent = self._questions.send(question, end_s - time.monotonic())
            finally:
                self._asking.release()
        if not is_sent:
            raise TimeoutError("the inference process does not take questions now")
        with self._arrived:
            is_there = self._arrived.wait_for(
                lambda: number in self._replies or self._is_closed or self._restarts() != restarts,
                end_s - time.monotonic(),
            )
            reply = self._replies.pop(number, None)
        if reply is None:
            raise TimeoutError(
                "the inference process ended before it answered"
                if is_there
                else f"no answer within {timeout_s:g} s"
            )
        if "refused" in reply:
            raise StageError(reply["refused"])
        return reply["answer"]

    def processes(self) -> Dict[str, int]:
        """Return the ids of all processes by name."""
        return {"main": os.getpid(), **self._pids}

    def close(self) -> None:
        """End all processes; closing twice does nothing."""
        self._stop("")
        self._ends["control"].close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._thread is not None:
            self._thread.join()
        with self._lock, self._asking:
            for end in self._ends.values():
                end.close()
            while self._wakes:
                os.close(self._wakes.pop())

    def _restarts(self) -> int:
        return self._worker["restarts"] if self._worker else 0

    def _summary(self) -> Summary:
        """Return what the helper process found in the package; StageError: it was refused."""
        end_s = time.monotonic() + START_S
        while True:
            ready, _, _ = select.select(
                [self._receiver], [], [], max(0.0, end_s - time.monotonic())
            )
            try:
                found = self._receiver.receive(1) if ready else []
            except EOFError:
                found = []
            if not found:
                self.close()
                raise StageError(
                    "the pipeline ended before it was ready: see its error in the log"
                    if ready
                    else f"the pipeline was not ready within {START_S:g} s: see the log"
                )
            message = wire.unpacked(found[0])
            if message["kind"] == "refused":
                self.close()
                raise StageError(message["why"])
            if message["kind"] == "summary":
                summary: Summary = message["summary"]
                return summary

    def _read(self) -> None:
        """Take what the processes send, in a thread."""
        with suppress(EOFError, OSError, ValueError):
            while not self._is_closed:
                select.select([self._receiver], [], [], 0.5)
                for data in self._receiver.receive():
                    with suppress(ValueError, LookupError, TypeError):  # of a process gone mad
                        self._take(wire.unpacked(data))
        self._stop("the pipeline has ended")

    def _take(self, message: Any) -> None:
        with self._arrived:
            if message["kind"] == "reply":
                self._replies[message["id"]] = message
                while len(self._replies) > 64:  # nobody waits for the oldest any more
                    del self._replies[next(iter(self._replies))]
            elif message["kind"] == "processes":
                self._pids = message["pids"]
            else:
                if message["kind"] == "worker":
                    self._worker = message
                self._messages.append(message)
            self._arrived.notify_all()

    def _stop(self, why: str) -> None:
        """Let nobody wait any more; why: what the last state of the worker says, if it is unexpected."""
        with self._arrived:
            if why and self._worker and not self._is_closed:
                self._messages.append({**self._worker, "status": "failed", "why": why})
            self._is_closed = True
            self._arrived.notify_all()
