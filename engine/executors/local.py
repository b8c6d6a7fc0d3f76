"""Runs each job as a local process, forked from a warm server that has imported the required modules.

Stages with `runs_on: target` also run on this machine's processor, and their figures say so.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine import accelerator, gpus
from engine.containers import options
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.environment import allowed, passed
from engine.errors import UserError
from engine.fingerprint import environment
from engine.jobfolder import ENVIRONMENT, Ended, Launch
from engine.placement import Placement
from engine.plan import Job, Planned
from engine.processes import tree
from engine.spec import StageSpec
from engine.target import platform_of
from engine.tools import definition
from engine.tools.definition import Environment

_SLOW_IMPORTS = (
    "tensorflow",
    "keras",
)  # imports that take seconds each; one server loads them for all stages of a run
_Warm = tuple[str, ...]  # a server: its Python, and the modules that it has imported


@dataclass(slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    pidfd: int | None  # readable when the process has ended; None if the kernel does not support it
    mark: str
    buffer: bytes = b""
    jobs: dict[str, float] = field(default_factory=dict)  # stage -> when it was launched
    pids: dict[str, int] = field(default_factory=dict)
    forced: dict[str, float] = field(
        default_factory=dict
    )  # stage -> when it was first to be killed
    has_answered: bool = False  # until then it is importing, and does not read requests


class Executor:
    """Local processes."""

    silent_s = 5.0  # how long a server may take to report a killed job before it is killed itself

    def __init__(self, context: ExecutorContext) -> None:
        options.limits(
            context
        )  # invalid container options are reported before anything starts, even if no container runs
        self._context, self._target, self._store = context, context.target, context.store
        self._python_path = os.pathsep.join(map(str, context.roots))
        self._servers: dict[_Warm, _Server] = {}
        self._selector = selectors.DefaultSelector()

    why_chosen = "running stages as local processes"
    pushes_images = False

    def unavailable(self) -> str:
        """Return an empty string: a process can always be started."""
        return ""

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return no images: a process needs none."""
        return []

    def load(self, full_name: str, archive: Path) -> None:
        """Do nothing: processes need no image."""

    def place(self, spec: StageSpec, contract: Contract) -> Placement:
        """Return where the stage runs: on this machine. If that replaces the target, its figures say so."""
        if contract.image:
            what = f"it runs in a container of {contract.image}, and this executor has none"
            fix = "start Docker and write executor=docker; or env_manager: local"
            raise UserError("image", what, fix)
        machine = platform.machine()
        here = platform_of(machine)
        tools, note = self._tools(spec, here)
        if spec.resources.gpu:
            gpus.refuse_platform(here)
            gpus.refuse(spec.resources.gpu)
        is_stand_in = spec.runs_on == "target" and self._target.platform != here
        depends_on = environment(frozenset() if tools else contract.imports, contract.programs)
        if tools:  # its packages are locked, so that their versions need not be looked at
            depends_on |= {"python": tools.python, "environment": tools.identity}
        depends_on |= gpus.counted(spec.resources.gpu)
        if spec.resources.accelerator:
            depends_on |= accelerator.counted(self._target.accelerator)
        measured_on = f"simulated on {machine}" if is_stand_in else machine
        return Placement(here, False, measured_on, depends_on, tools=tools, note=note)

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Start servers with the imports of these jobs."""
        modules: dict[tuple[str, ...], set[str]] = {}
        for job in (one.job for one in planned):
            modules.setdefault(self._warm(job), set()).update(job.contract.modules)
        for warm, names in modules.items():
            self._server(warm, sorted(names))

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """End the processes that killed engines left: nothing can continue with them."""
        tree.kill_abandoned(self._store)

    def launch(self, launch: Launch) -> None:
        """Start the job; `wait` reports its end."""
        server = self._server(self._warm(launch.job))
        cwd = launch.folder / "cwd"
        cwd.mkdir()
        server.jobs[launch.job.stage] = time.monotonic()
        spec = launch.job.spec
        seen = {gpus.VARIABLE: ",".join(launch.gpus)} if launch.gpus else {}
        given = {**seen, **spec.env, **passed(spec.pass_env, os.environ)}
        env = {**given, "PYTHONPATH": self._python_path, "TMPDIR": str(cwd), tree.MARK: server.mark}
        if tools := launch.job.placement.tools:
            path = given.get("PATH", os.environ.get("PATH", os.defpath))
            env["PATH"] = f"{tools.bin(self._store)}{os.pathsep}{path}"
        request = {
            "do": "launch",
            "job": launch.job.stage,
            "job_dir": str(launch.folder),
            "log": str(launch.log),
            "cwd": str(cwd),
            "env": env,
        }
        _send(server, request, self.silent_s)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""
        ended: list[Ended] = []
        for server in self._servers.values():
            _wake(server)
        for key, _ in self._selector.select(timeout_s):
            if key.data in self._servers:  # otherwise the previous event removed it
                ended += self._receive(key.data, has_ended=isinstance(key.fileobj, int))
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's process tree to end; with `force`, kill it.

        Killing does not depend on the server, which may be stopped or hang.
        """
        for server in self._servers.values():
            if stage not in server.jobs:
                continue
            server.process.send_signal(signal.SIGCONT)
            if force and stage in server.pids:
                tree.kill_tree(server.pids[stage], signal.SIGKILL)
            number = signal.SIGKILL if force else signal.SIGTERM
            _send(server, {"do": "signal", "job": stage, "signal": number}, self.silent_s)
            if force and self._is_silent(server, stage):
                server.process.kill()  # `wait` sees that, and reports its jobs as lost

    def close(self) -> None:
        """End the servers, and every job with them."""
        for server in self._servers.values():
            server.process.send_signal(signal.SIGCONT)
            server.connection.close()
        for server in self._servers.values():
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(0.5)
            self._end(server)
        self._servers.clear()
        self._selector.close()

    def _tools(self, spec: StageSpec, here: str) -> tuple[Environment | None, str]:
        """Return the environment that the stage names, or else a note that says why it does not get it."""
        roots, name = self._context.roots, spec.image
        if not name or not definition.is_environment(roots, name):
            return None, ""
        tools = definition.find(roots, name, here)
        why = self._context.without.get(name)
        if why is None:
            why = tools.obstacle(self._store) if tools else f"it does not exist for {here}"
        return (None, definition.lacking(name, why)) if why else (tools, "")

    def _warm(self, job: Job) -> _Warm:
        """Return which server runs the job."""
        tools = job.placement.tools
        python = str(tools.interpreter(self._store)) if tools else sys.executable
        return (python, *_preload(job))

    def _is_silent(self, server: _Server, stage: str) -> bool:
        first = server.forced.setdefault(stage, time.monotonic())
        return not server.has_answered or time.monotonic() - first > self.silent_s

    def _server(self, warm: _Warm, modules: Iterable[str] = ()) -> _Server:
        if warm not in self._servers:
            ours, theirs = socket.socketpair()
            python, *preload = warm
            argv = [
                python,
                "-m",
                "engine.processes.forkserver",
                str(theirs.fileno()),
                *preload,
                *modules,
            ]
            mark = tree.new_mark(self._store)
            env = {
                **allowed(os.environ),
                **ENVIRONMENT,
                "PYTHONPATH": self._python_path,
                tree.MARK: mark,
            }
            process = subprocess.Popen(
                argv,
                env=env,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            theirs.close()
            ours.setblocking(False)
            server = self._servers[warm] = _Server(process, ours, _pidfd(process), mark)
            for source in (ours, server.pidfd):
                if source is not None:
                    self._selector.register(source, selectors.EVENT_READ, warm)
        return self._servers[warm]

    def _receive(self, warm: _Warm, *, has_ended: bool) -> list[Ended]:
        """Read the server's answers.

        If it has ended, read all of them, and report its remaining jobs as lost.
        """
        server = self._servers[warm]
        ended: list[Ended] = []
        while data := _received(server):
            ended += _process_answers(server, data)
        if has_ended or data == b"":
            ended += self._lose(warm)
        return ended

    def _lose(self, warm: _Warm) -> list[Ended]:
        """Report the jobs of a dead server as lost, and kill their remaining processes: only the jobs' main
        processes died with it.
        """
        server = self._servers.pop(warm)
        self._selector.unregister(server.connection)
        if server.pidfd is not None:
            self._selector.unregister(server.pidfd)
        self._end(server)
        return [
            Ended(stage, None, time.monotonic() - start) for stage, start in server.jobs.items()
        ]

    def _end(self, server: _Server) -> None:
        server.connection.close()
        if server.pidfd is not None:
            os.close(server.pidfd)
        server.process.kill()
        tree.kill_marked(server.mark, server.pids.values())
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(tree.END_S)


def _preload(job: Job) -> tuple[str, ...]:
    if job.spec.resources.gpu:  # it must not share a process that has looked for GPUs
        return ()
    return ("tensorflow",) if job.contract.imports & set(_SLOW_IMPORTS) else ()


def _pidfd(process: subprocess.Popen[bytes]) -> int | None:
    """Return a descriptor that tells when the process ends, even if others still hold its socket.

    None if the kernel or a sandbox does not support it.
    """
    try:
        return os.pidfd_open(process.pid)
    except OSError:
        return None


def _wake(server: _Server) -> None:
    """Let a server continue if one of its jobs has stopped it."""
    with suppress(ChildProcessError):
        if os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOHANG):
            server.process.send_signal(signal.SIGCONT)


def _received(server: _Server) -> bytes | None:
    """Return the server's data; None if there is none yet; empty at the end of the stream."""
    try:
        return server.connection.recv(1 << 16)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


def _process_answers(server: _Server, data: bytes) -> list[Ended]:
    """Process the answers, and return the jobs that ended."""
    server.has_answered = True
    *lines, server.buffer = (server.buffer + data).split(b"\n")
    ended: list[Ended] = []
    for line in lines:
        message: Mapping[str, int] = json.loads(line)
        stage = str(message["job"])
        if "started" in message:
            server.pids[stage] = message["started"]
            continue
        del server.jobs[stage], server.pids[stage]
        server.forced.pop(stage, None)
        ended.append(Ended(stage, message["ended"], message["seconds"]))
    return ended


def _send(server: _Server, message: Mapping[str, object], within_s: float) -> None:
    try:
        server.connection.settimeout(within_s)
        server.connection.sendall(json.dumps(message).encode() + b"\n")
    except TimeoutError:
        server.process.kill()  # it hangs: the socket's buffer is full of unread requests
    except ConnectionError:
        return  # `wait` sees the closed socket and reports the loss
    finally:
        server.connection.setblocking(False)
