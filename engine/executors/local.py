"""Runs each job as a process of this machine, forked from a warm server that has imported what it needs.

A stage with `runs_on: target` runs on this machine's processor too, and its figures say so.
"""

import json
import os
import platform
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import coral
from engine.fingerprint import environment
from engine.jobfolder import ENVIRONMENT, Ended, Launch
from engine.placement import Placement, Setting
from engine.plan import Job, Planned
from engine.signature import Signature
from engine.spec import StageSpec
from engine.target import platform_of

_SLOW_IMPORTS = ("tensorflow", "keras")  # seconds each; one server keeps them for all the stages of a run


@dataclass(slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    buffer: bytes = b""
    jobs: dict[str, float] = field(default_factory=dict)  # stage -> when it was launched
    pids: dict[str, int] = field(default_factory=dict)
    has_answered: bool = False  # before that it imports, and reads nothing


class Executor:
    """Local processes."""

    def __init__(self, setting: Setting) -> None:
        self._target = setting.target
        self._python_path = os.pathsep.join(map(str, setting.roots))
        self._servers: dict[tuple[str, ...], _Server] = {}
        self._selector = selectors.DefaultSelector()

    def place(self, spec: StageSpec, signature: Signature | None) -> Placement:
        """Return where the stage runs: here, and where that stands in for the target its figures say so."""
        machine = platform.machine()
        here = platform_of(machine)
        is_stand_in = spec.runs_on == "target" and self._target.platform != here
        depends_on = environment(signature.imports, signature.programs) if signature else environment(frozenset())
        if spec.resources.accelerator and self._target.accelerator == "edgetpu":
            depends_on["edgetpu"] = coral.seen()
        return Placement(here, False, f"simulated on {machine}" if is_stand_in else machine, depends_on)

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Begin to warm what these jobs will need."""
        modules: dict[tuple[str, ...], set[str]] = {}
        for job in (one.job for one in planned):
            modules.setdefault(_preload(job), set()).update([job.signature.module] if job.signature else [])
        for preload, names in modules.items():
            self._server(preload, sorted(names))

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Do nothing: processes end with the engine that started them."""

    def launch(self, launch: Launch) -> None:
        """Start the job; its end comes from `wait`."""
        server = self._server(_preload(launch.job))
        cwd = launch.folder / "cwd"
        cwd.mkdir()
        server.jobs[launch.job.stage] = time.monotonic()
        env = {**launch.job.spec.env, "PYTHONPATH": self._python_path, "TMPDIR": str(cwd)}
        request = {
            "do": "launch",
            "job": launch.job.stage,
            "job_dir": str(launch.folder),
            "log": str(launch.log),
            "cwd": str(cwd),
            "env": env,
        }
        _send(server, request)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""
        ended: list[Ended] = []
        for key, _ in self._selector.select(timeout_s):
            ended += self._receive(key.data)
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's process tree to end, or end it."""
        for server in self._servers.values():
            if stage in server.jobs:
                _send(server, {"do": "signal", "job": stage, "signal": signal.SIGKILL if force else signal.SIGTERM})
                if force and not server.has_answered:
                    server.process.kill()

    def close(self) -> None:
        """End the servers and with them every job."""
        for server in self._servers.values():
            server.connection.close()
        for server in self._servers.values():
            try:
                server.process.wait(0.5)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()
        self._servers.clear()
        self._selector.close()

    def _server(self, preload: tuple[str, ...], modules: Iterable[str] = ()) -> _Server:
        if preload not in self._servers:
            ours, theirs = socket.socketpair()
            argv = [sys.executable, "-m", "engine.executors._forkserver", str(theirs.fileno()), *preload, *modules]
            env = {**os.environ, **ENVIRONMENT, "PYTHONPATH": self._python_path}
            process = subprocess.Popen(argv, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
            theirs.close()
            self._servers[preload] = _Server(process, ours)
            self._selector.register(ours, selectors.EVENT_READ, preload)
        return self._servers[preload]

    def _receive(self, preload: tuple[str, ...]) -> list[Ended]:
        server = self._servers[preload]
        try:
            data = server.connection.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            return self._lose(preload)
        server.has_answered = True
        *lines, server.buffer = (server.buffer + data).split(b"\n")
        ended: list[Ended] = []
        for line in lines:
            message: Mapping[str, int] = json.loads(line)
            stage = str(message["job"])
            if "started" in message:
                server.pids[stage] = message["started"]
            else:
                del server.jobs[stage], server.pids[stage]
                ended.append(Ended(stage, message["ended"], message["seconds"]))
        return ended

    def _lose(self, preload: tuple[str, ...]) -> list[Ended]:
        """The server died: its jobs died with it, but for their own children, which share their groups."""
        server = self._servers.pop(preload)
        self._selector.unregister(server.connection)
        server.connection.close()
        for pid in server.pids.values():
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        server.process.kill()
        server.process.wait()
        return [Ended(stage, None, time.monotonic() - start) for stage, start in server.jobs.items()]


def _preload(job: Job) -> tuple[str, ...]:
    imports = job.signature.imports if job.signature else frozenset()
    return ("tensorflow",) if imports & set(_SLOW_IMPORTS) else ()


def _send(server: _Server, message: Mapping[str, object]) -> None:
    try:
        server.connection.sendall(json.dumps(message).encode() + b"\n")
    except (BrokenPipeError, ConnectionError):
        return  # `wait` sees the closed socket and reports the loss
