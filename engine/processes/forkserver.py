"""A warm process that forks a child for each job: `python -m engine.processes.forkserver SOCKET_FD
[MODULE...]`.

It imports the named modules once but never uses them, so that a fork behaves like a fresh process.
Requests and answers are JSON lines on the socket, which jobs do not inherit. When the engine ends,
every process of every job ends too.
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
from engine.processes import parent, tree

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


class Server:
    """Serves one engine until the engine closes the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._running: dict[int, tuple[str, float]] = {}  # pid -> job, monotonic start
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._waiting = selectors.DefaultSelector()

    def serve(self) -> None:
        """Answer requests and report ended jobs until the engine's end of the socket closes."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        self._waiting.register(self._connection, selectors.EVENT_READ)
        self._waiting.register(self._wake_r, selectors.EVENT_READ)
        buffer = b""
        while True:
            ready = {key.fileobj for key, _ in self._waiting.select()}
            if self._wake_r in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake_r, 4096)
                self._reap()
            if self._connection in ready:
                data = self._received()
                if not data:
                    break
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line))
        tree.kill_tree(os.getpid(), signal.SIGKILL, itself=False)
        tree.kill_marked(os.environ.get(tree.MARK, ""), list(self._running))

    def _received(self) -> bytes:
        """Return the engine's data; empty if the engine has ended, even if it left answers unread."""
        try:
            return self._connection.recv(1 << 16)
        except ConnectionError:
            return b""

    def _handle(self, request: dict[str, Any]) -> None:
        if request["do"] == "launch":
            self._launch(request)
            return
        for pid, (job, _) in list(self._running.items()):
            if job == request["job"]:
                tree.kill_tree(pid, request["signal"])

    def _launch(self, request: dict[str, Any]) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._let_go()
            _become_job(request, server)  # never returns
        self._running[pid] = (request["job"], time.monotonic())
        self._answer({"job": request["job"], "started": pid})

    def _let_go(self) -> None:
        """Close the server's descriptors in a forked job: while a job holds the socket, the engine does not
        notice the server's death.
        """
        signal.set_wakeup_fd(-1)
        self._waiting.close()
        self._connection.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def _reap(self) -> None:
        """Report the jobs that ended, and kill the processes that they left: an orphan that ends may have had
        children itself.
        """
        ended: list[tuple[int, int]] = []
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                ended.append(found)
        jobs = [
            (*self._running.pop(pid), pid, status) for pid, status in ended if pid in self._running
        ]
        self._end_leftovers([pid for _, _, pid, _ in jobs])
        for job, start, _, status in jobs:
            seconds = time.monotonic() - start
            self._answer(
                {"job": job, "ended": os.waitstatus_to_exitcode(status), "seconds": seconds}
            )

    def _end_leftovers(self, ended: list[int]) -> None:
        """Kill the processes that ended jobs left: their process groups, and orphans, which this subreaper
        inherits.
        """
        for pid in ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for child in tree.children(os.getpid()):
            if child not in self._running:
                tree.kill_tree(child, signal.SIGKILL)

    def _answer(self, message: dict[str, object]) -> None:
        with suppress(ConnectionError):
            self._connection.sendall(json.dumps(message).encode() + b"\n")


def _become_job(request: dict[str, Any], server: int) -> None:
    status = 1
    try:
        os.setsid()
        parent.die_with(server)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect(request["log"])
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        _forget()
        status = stage.run_job(Path(request["job_dir"]))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _forget() -> None:
    """Reset state that modules keep from the server's start and that a fresh process would not have."""
    if temporary := sys.modules.get("tempfile"):
        vars(temporary)["tempdir"] = None  # determined again, from the job's TMPDIR
    time.tzset()
    sys.argv = ["engine.stage"]
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()  # Python's own `random` reseeds itself after a fork


def _redirect(log: str) -> None:
    """Send output to the log, and close the input."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in ((0, nowhere), (1, out), (2, out)):
        os.dup2(source, target)
    sys.stdout = open(
        1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    sys.stderr = open(
        2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _main() -> None:
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _libc.prctl(
        _PR_SET_PDEATHSIG, signal.SIGCONT
    )  # wakes a stopped server, so that it notices the end of its engine
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    for module in sys.argv[2:]:
        with suppress(Exception, SystemExit):  # the stage that needs it will report the error
            importlib.import_module(module)
    gc.collect()
    gc.freeze()
    Server(connection).serve()


if __name__ == "__main__":
    _main()
