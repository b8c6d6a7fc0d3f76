"""A warm process that forks a child for each job: `python -m engine.executors._forkserver SOCKET_FD [MODULE...]`.

It imports the named modules once and never runs an operation of theirs, so that a fork is as good as a fresh process.
Requests and answers are JSON lines on the socket. When the engine goes away, every process of every job goes too.
"""

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import stage

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


class Server:
    """Serves one engine until it hangs up."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._running: dict[int, tuple[str, float]] = {}  # pid -> job, monotonic start
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Answer requests and report ended jobs until the engine's end of the socket closes."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        waiting = selectors.DefaultSelector()
        waiting.register(self._connection, selectors.EVENT_READ)
        waiting.register(self._wake_r, selectors.EVENT_READ)
        buffer = b""
        while True:
            ready = {key.fileobj for key, _ in waiting.select()}
            if self._wake_r in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake_r, 4096)
                self._reap()
            if self._connection in ready:
                data = self._connection.recv(1 << 16)
                if not data:
                    break
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line))
        for pid in list(self._running):
            kill_tree(pid, signal.SIGKILL)
        kill_tree(os.getpid(), signal.SIGKILL, itself=False)

    def _handle(self, request: dict[str, Any]) -> None:
        if request["do"] == "launch":
            self._launch(request)
            return
        for pid, (job, _) in list(self._running.items()):
            if job == request["job"]:
                kill_tree(pid, request["signal"])

    def _launch(self, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            _become_job(request)  # never returns
        self._running[pid] = (request["job"], time.monotonic())
        self._answer({"job": request["job"], "started": pid})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._running:
                job, start = self._running.pop(pid)
                self._end_leftovers(pid)
                self._answer({"job": job, "ended": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - start})

    def _end_leftovers(self, ended: int) -> None:
        """Kill what an ended job left behind: its process group, and orphans, which come to this subreaper."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(ended, signal.SIGKILL)
        for child in _children(os.getpid()):
            if child not in self._running:
                kill_tree(child, signal.SIGKILL)

    def _answer(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):
            self._connection.sendall(json.dumps(message).encode() + b"\n")


def kill_tree(pid: int, number: int, *, itself: bool = True) -> None:
    """Send the signal to a process and all its descendants, whatever session they moved to."""
    tree = [pid]
    for one in tree:
        tree.extend(_children(one))  # grows while it is walked
    for one in tree if itself else tree[1:]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, number)


def _children(pid: int) -> list[int]:
    """Return a process's children, as the kernel lists them for each of its threads (proc(5), CONFIG_PROC_CHILDREN)."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def _become_job(request: dict[str, Any]) -> None:
    status = 1
    try:
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect(request["log"])
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        status = stage.run_job(Path(request["job_dir"]))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _redirect(log: str) -> None:
    """Send output to the log and take input from nowhere."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in ((0, nowhere), (1, out), (2, out)):
        os.dup2(source, target)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)


def _main() -> None:
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    connection = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        with suppress(Exception, SystemExit):  # the stage that needs it will say what is wrong
            importlib.import_module(module)
    gc.collect()
    gc.freeze()
    Server(connection).serve()


if __name__ == "__main__":
    _main()
