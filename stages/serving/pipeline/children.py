"""Starts processes that end with this one, and ends them with all that they started."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from typing import Callable, List, Optional

LINGER_S = 1.0
_PR_SET_PDEATHSIG = 1


def fork(run: Callable[[], None]) -> int:
    """Run a function in a process with its own group; return its id. This process has no threads."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        with suppress(OSError):  # the child was faster
            os.setpgid(pid, pid)
        return pid
    status = 1
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        end_with_parent(parent)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def end_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended meanwhile
        os._exit(1)


class Children:
    """The processes that were ended but may linger: one that waits for a driver ends only after it."""

    def __init__(self) -> None:
        self._lingering: List[int] = []

    def end(self, pid: int) -> None:
        """End a process and its group; wait a moment for it, and reap it later if that is too short."""
        kill(pid)
        end_s = time.monotonic() + LINGER_S
        while reaped(pid) is None:
            if time.monotonic() >= end_s:
                self._lingering.append(pid)
                return
            time.sleep(0.005)

    def reap(self) -> None:
        """Reap those that have ended meanwhile."""
        self._lingering = [pid for pid in self._lingering if reaped(pid) is None]


def kill(pid: int) -> None:
    """End a process and its group, such as that of an accelerator; it must be reaped afterwards."""
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def reaped(pid: int) -> Optional[int]:
    """Return the exit status of a process that has ended, negative for a signal; None: it runs."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return _status(status) if found else None


def described(status: int) -> str:
    """Return how a process ended, as part of a sentence."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "unknown"
    hint = ", perhaps because memory was short" if -status == signal.SIGKILL else ""
    return f"was killed by signal {-status} ({name}){hint}"


def _status(status: int) -> int:
    """Return a wait status like `os.waitstatus_to_exitcode`."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
