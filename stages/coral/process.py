"""Starts the child process that serves all models of one Edge TPU, and explains its timeouts and crashes.

The child may crash without ending the run: the Edge TPU's library causes a segmentation fault if it was
built against another runtime (google-coral/edgetpu#812: tflite-runtime 2.12 and newer with the stock
libedgetpu). `child` is its program.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.stage import StageError
from stages.accelerator import Unavailable
from stages.coral import child as program
from stages.coral.device import HERE, Roots
from stages.tflite import wire
from stages.tflite.turns import turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tflite.naming import Names

LIBRARY = program.LIBRARY
OPEN_TIMEOUT_S = 120.0  # the firmware is loaded at first use, and imports are slow under emulation
INVOKE_TIMEOUT_S = 60.0
PROJECT = Path(__file__).resolve().parents[2]


class Process:
    """The process, started with the first model and ended with the last open one."""

    def __init__(self, library: str = LIBRARY, roots: Roots = HERE) -> None:
        self._library, self._roots = library, roots
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()  # a fork shares the pipes, and must not use them
        self._exchange_lock = threading.Lock()
        self._open: set[int] = set()  # the numbers of the open models
        self._closing: deque[int] = deque()  # models that were closed during an exchange
        self._count = 0
        self._status: int | None = None  # exit status, if it ended by itself

    @property
    def pid(self) -> int | None:
        """Return the process's id; None if no model is open."""
        return self._child.pid if self._child else None

    def open(self, path: Path, names: Names, runtime: str) -> tuple[int, dict[str, Any]]:
        """Open a model; return its number, and its runtime and tensors.

        Unavailable: the Edge TPU or its library cannot be used, or not for this model.
        """
        self._refuse_fork()
        if self._child is None:
            self._child, self._owner = self._started(), os.getpid()
        self._count += 1
        number = self._count
        self._open.add(number)
        wish = {
            "do": "open",
            "model": number,
            "path": str(path),
            "inputs": names.inputs,
            "outputs": names.outputs,
            "runtime": runtime,
            "library": self._library,
            "roots": {k: str(v) for k, v in asdict(self._roots).items()},
        }
        try:
            facts, _ = self._ask(wish, {}, OPEN_TIMEOUT_S)
        except wire.Ended:
            raise self._unopened() from None
        if "cause" in facts:
            self._forget(number)
            raise Unavailable(facts["cause"], facts["sentence"])
        return number, facts

    def invoke(
        self, number: int, tensors: Mapping[str, NDArray[Any]]
    ) -> tuple[dict[str, NDArray[Any]], float]:
        """Run a model; return the raw outputs and the milliseconds, measured in the process."""
        self._refuse_fork()
        try:
            facts, outputs = self._ask({"do": "invoke", "model": number}, tensors, INVOKE_TIMEOUT_S)
        except wire.Ended:
            raise StageError(
                f"the Edge TPU's process {_described(self._status)} while it was working: unplug the "
                "device and plug it in again"
            ) from None
        if "failed" in facts:
            raise StageError(f"the Edge TPU's process cannot run the model: {facts['failed']}")
        return outputs, facts["took_ms"]

    def close(self, number: int) -> None:
        """Close a model, and end the process if it has no other; closing twice does nothing.

        During an exchange, when the garbage collector may call this, closing is postponed until the next
        exchange.
        """
        if number not in self._open or self._owner != os.getpid():
            return
        self._closing.append(number)
        if self._exchange_lock.acquire(blocking=False):
            try:
                self._close_waiting()
            finally:
                self._exchange_lock.release()

    def peak_memory_mb(self) -> float:
        """Return the peak memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return next(
            (
                int(line.split()[1]) / 1024
                for line in status.splitlines()
                if line.startswith("VmHWM")
            ),
            0.0,
        )

    def __del__(self) -> None:
        self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            [sys.executable, "-m", program.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def _refuse_fork(self) -> None:
        if self._child and self._owner != os.getpid():
            raise StageError(
                "the Edge TPU's process was started before this process was forked: open the model here"
            )

    def _close_waiting(self) -> None:
        while self._closing:
            number = self._closing.popleft()
            if number in self._open and len(self._open) > 1:
                with suppress(wire.Ended):  # then there is nothing to release
                    self._exchange({"do": "close", "model": number}, {}, INVOKE_TIMEOUT_S)
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._open.discard(number)
        if not self._open:
            self._end()

    def _end(self) -> None:
        """End the process, and every model with it."""
        child, self._child = self._child, None
        self._open.clear()
        if child is None or self._owner != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with suppress(BrokenPipeError):  # unsent data
                    pipe.close()

    def _ask(
        self, request: dict[str, Any], tensors: Mapping[str, NDArray[Any]], timeout_s: float
    ) -> wire.Message:
        """Send a request for an open model and return its answer; raise Ended if there is none in time."""
        with turn(self._exchange_lock):
            self._close_waiting()
            return self._exchange(request, tensors, timeout_s)

    def _exchange(
        self, request: dict[str, Any], tensors: Mapping[str, NDArray[Any]], timeout_s: float
    ) -> wire.Message:
        """Send a request and return its answer; any interruption ends the process, because a late answer
        would be mistaken for the next one.
        """
        if self._child is None or request["model"] not in self._open:
            raise wire.Ended
        try:
            self._send(self._child, wire.pack(request, tensors))
            return self._receive(self._child, timeout_s)
        except wire.Ended:
            self._status = self._ending(self._child)
            self._end()
            raise
        except BaseException:
            self._status = None
            self._end()
            raise

    @staticmethod
    def _send(child: subprocess.Popen[bytes], data: bytes) -> None:
        assert child.stdin
        try:
            child.stdin.write(data)
            child.stdin.flush()
        except BrokenPipeError:
            raise wire.Ended from None

    @staticmethod
    def _receive(child: subprocess.Popen[bytes], timeout_s: float) -> wire.Message:
        """Return the child's next message; raise Ended if there is none in time."""
        assert child.stdout
        place, end = child.stdout.fileno(), time.monotonic() + timeout_s

        def read(size: int) -> bytes:
            data = b""
            while len(data) < size:
                ready, _, _ = select.select([place], [], [], max(0.0, end - time.monotonic()))
                chunk = os.read(place, size - len(data)) if ready else b""
                if not chunk:
                    break
                data += chunk
            return data

        return wire.unpack(read)

    @staticmethod
    def _ending(child: subprocess.Popen[bytes]) -> int | None:
        """Return the exit status; None for a process that does not respond but has not ended."""
        try:
            return child.wait(1)
        except subprocess.TimeoutExpired:
            return None

    def _unopened(self) -> Unavailable:
        status = self._status
        if status is None:
            return Unavailable(
                "busy",
                f"it did not answer within {OPEN_TIMEOUT_S:g} s: unplug it and plug it in again",
            )
        if status < 0:
            return Unavailable(
                "version",
                f"version mismatch: the process that loaded {LIBRARY} {_described(status)}; install a build "
                "of libedgetpu "
                "that was made for this version of the runtime (google-coral/edgetpu#812)",
            )
        return Unavailable(
            "library",
            f"the process that loaded {LIBRARY} {_described(status)}; see its error in the log",
        )


def _described(status: int | None) -> str:
    if status is None:
        return "did not answer"
    return (
        f"was killed by signal {-status} ({signal.Signals(-status).name})"
        if status < 0
        else f"ended with exit status {status}"
    )
