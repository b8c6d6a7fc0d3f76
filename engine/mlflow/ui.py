"""Serves MLflow's pages on this machine, for the runs recorded below outputs/."""

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from engine import interrupts, layout
from engine.errors import UserError
from engine.mlflow.backend import Backend, resolve
from engine.mlflow.links import VIEW
from engine.mlflow.sync import sync

_HOST = "127.0.0.1"
_POLL_S = 0.2
_END_S = 5.0  # for open requests
_TAIL_LINES = 10


def serve(
    outputs: Path, tracking: Mapping[str, object], port: int, say: Callable[[str], None]
) -> int:
    """Run MLflow's server until Ctrl-C or SIGTERM, and print its address as soon as it answers.

    Return 0, or 1 if the server exited by itself. Raise UserError if the port is in use.
    """
    backend = resolve(outputs, tracking)
    if not backend.is_database:
        what = "runs are recorded on a server, which has its own page"
        raise UserError("tracking.uri", what, f"open {backend.shown}")
    _check_port(port)
    say("starting MLflow; this takes a few seconds")
    for run, why in sync(outputs, tracking).problems.items():  # also creates the database
        say(f"warning: {run} is not in MLflow: {why}")
    log = layout.store_dir(outputs) / "mlflow" / "server.log"
    if _is_interrupted(backend, port, log, say):
        return 0
    say("\n".join(["error: MLflow's server exited unexpectedly", *_tail(log), f"full log: {log}"]))
    return 1


def _is_interrupted(backend: Backend, port: int, log: Path, say: Callable[[str], None]) -> bool:
    """Serve, and return whether a signal ended it, such as the closing of its terminal."""
    try:
        with (
            interrupts.terminable(),
            interrupts.terminable(signal.SIGHUP),
            _server(backend, port, log) as server,
        ):
            _wait(server, port, say)
    except KeyboardInterrupt:
        return True
    return False


def _wait(server: "subprocess.Popen[bytes]", port: int, say: Callable[[str], None]) -> None:
    """Print the address as soon as the server answers, and wait until it exits.

    Say that a signal stops it, because that takes seconds.
    """
    try:
        if _is_up(server, port):
            say(f"{_address(port)} (press Ctrl-C to stop)")
        server.wait()
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be closed
            say("stopping MLflow")
        raise


def _address(port: int) -> str:
    return f"http://{_HOST}:{port}/#/experiments{VIEW}"


def _check_port(port: int) -> None:
    """Raise UserError if no server can listen on the port."""
    try:
        _bind(port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        what = "another program is using this port" if taken else f"not available: {error.strerror}"
        raise UserError(f"port={port}", what, f"write port={_bind(0)}") from None


def _bind(port: int) -> int:
    """Return the port after listening on it for a moment; 0: any free port."""
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        found.bind((_HOST, port))
        found.listen()
        return int(found.getsockname()[1])


@contextmanager
def _server(backend: Backend, port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the server, and end all its processes with the block.

    It runs in a separate process group: Ctrl-C in the terminal reaches only this process, which
    then ends the server.
    """
    where = ["--host", _HOST, "--port", str(port), "--default-artifact-root"]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", *where]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_BACKEND_STORE_URI": backend.uri,
    }  # not an argument, which every user could read
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, str(backend.artifact_root)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield server
    finally:
        _end(server)


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the server's processes, with SIGTERM first: `mlflow server` leaves its child process
    behind.
    """
    try:
        _signal(server.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + _END_S
        while _signal(server.pid, 0) and time.monotonic() < deadline_s:
            server.poll()
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        pass  # a second Ctrl-C: do not wait for it
    finally:
        _signal(server.pid, signal.SIGKILL)
        server.wait()


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group, and return whether there is one."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
        return True
    return False


def _is_up(server: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait until the server answers, and return whether it does; it may exit first."""
    while server.poll() is None:
        if _answers(port):
            return True
        time.sleep(_POLL_S)
    return False


def _answers(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection(_HOST, port, timeout=10)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def _tail(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [f"  {line}" for line in lines[-_TAIL_LINES:]]
