"""Runs the stage as a child process: its output goes to the pod's log, and a signal that ends the pod
reaches it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Callable, List, Mapping, NamedTuple, Optional

KEPT_BYTES = 64_000  # of the end of the log, for the report
GRACE_S = 10.0  # from asking a stage to end until it is killed
POLL_S = 0.2  # how soon a signal reaches the stage
AFTER_S = 1.0  # for the last lines, if a process of the stage keeps its output open


class End(NamedTuple):
    """How the child ended."""

    status: int  # as a shell reports it: 128 + the signal that ended it
    seconds: float
    log: str  # its last part
    why: str  # it was ended; empty if it ended by itself


class _Log:
    """Copies the child's output to this process's, and keeps the end of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, b""
        self.thread = threading.Thread(target=self._copy, daemon=True)
        self.thread.start()

    @property
    def text(self) -> str:
        """Return the end of the log."""
        return self._kept[-KEPT_BYTES:].decode("utf-8", "replace")

    def _copy(self) -> None:
        while True:
            data = os.read(self._stream.fileno(), 1 << 16)
            if not data:
                return
            self._kept = (self._kept + data)[-2 * KEPT_BYTES :]
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


def run(folder: Path, env: Mapping[str, str], timeout_s: Optional[float]) -> End:
    """Run `python3 -m engine.stage` on the job folder, and end every process that it leaves."""
    received: List[int] = []
    before = {one: signal.signal(one, _noting(received)) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _ended(_started(folder, env), received, timeout_s)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _noting(received: List[int]) -> Callable[[int, Any], None]:
    def note(number: int, frame: Any) -> None:
        received.append(number)

    return note


def _started(folder: Path, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    cwd = folder / "cwd"
    cwd.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "engine.stage", str(folder)],
        cwd=str(cwd),
        env={**os.environ, **env, "TMPDIR": str(cwd), "HOME": str(cwd), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _ended(
    process: "subprocess.Popen[bytes]", received: List[int], timeout_s: Optional[float]
) -> End:
    """Wait until the child has ended by itself, or must end; then kill what is left of it."""
    assert process.stdout is not None
    start, log, why = time.monotonic(), _Log(process.stdout), ""
    while not why and not _has_ended(process):
        if received:
            why = "its pod was ended by signal {}".format(received[0])
        elif timeout_s and time.monotonic() - start > timeout_s:
            why = "it did not end within its timeout of {:g} s".format(timeout_s)
    if why:
        _kill(process.pid, signal.SIGTERM)
        until = time.monotonic() + GRACE_S
        while time.monotonic() < until and not _has_ended(process):
            pass
    seconds = time.monotonic() - start
    _kill(process.pid, signal.SIGKILL)
    status = process.wait()
    log.thread.join(AFTER_S)
    return End(status if status >= 0 else 128 - status, seconds, log.text, why)


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Return whether the process has ended; wait a moment for it."""
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it has ended
        os.killpg(group, number)
