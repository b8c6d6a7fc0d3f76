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
from typing import IO, Any, List, Mapping, NamedTuple

KEPT_BYTES = 64_000  # of the end of the log, for the report
AFTER_S = 1.0  # for the last lines, if a process of the stage keeps its output open


class End(NamedTuple):
    """How the child ended."""

    status: int  # as a shell reports it: 128 + the signal that ended it
    seconds: float
    log: str  # its last part
    signal: int  # that ended the pod; 0: none


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


def run(folder: Path, env: Mapping[str, str]) -> End:
    """Run `python3 -m engine.stage` on the job folder, and end every process that it leaves."""
    cwd = folder / "cwd"
    cwd.mkdir()
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.stage", str(folder)],
        cwd=str(cwd),
        env={**os.environ, **env, "TMPDIR": str(cwd), "HOME": str(cwd), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    received: List[int] = []

    def forward(number: int, frame: Any) -> None:
        received.append(number)
        _kill(process.pid, number)

    before = {one: signal.signal(one, forward) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert process.stdout is not None
        log = _Log(process.stdout)
        status = process.wait()
        seconds = time.monotonic() - start
        log.thread.join(AFTER_S)
        _kill(process.pid, signal.SIGKILL)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    ended = status if status >= 0 else 128 - status
    return End(ended, seconds, log.text, received[0] if received else 0)


def _kill(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it has ended
        os.killpg(group, number)
