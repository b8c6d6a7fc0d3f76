"""Runs jobs as containers of one engine: created, started, waited for, inspected and removed by label, never attached.

A container outlives this process. Who gives the same command again takes over what still fits, and removes the rest.
How files come and go (`files`) and how the engine is reached (`connect`) is told by the executor that uses this.
"""

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UserError
from engine.executors import _engine, _options, _verdict
from engine.jobfolder import Ended, Launch, log_tail
from engine.placement import Setting
from engine.plan import Planned
from engine.stage import NO_SPACE
from engine.store import Store

LEAVING_S = 0.5  # how long after its containers' end an engine that shuts down still answers
CLAIMED_S = 10.0  # how long an engine that has claimed a container is given to begin with its job
LOST_S = 30.0  # how long an engine that has gone is waited for
FOLLOW_S = 2.0  # how often what a stage says is fetched from afar


class Files(Protocol):
    """How a job's files reach the container, and how they come back."""

    def log(self, launch: Launch) -> Path:
        """Return where the container writes the log."""

    def mounts(self, client: Any, launch: Launch) -> list[Any]:
        """Return the container's mounts, and see to it that what they name is there."""

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring the job's files into the container, which has not started."""

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring what the stage has said so far."""

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring the outputs and all that was said."""

    def free_bytes(self, launch: Launch) -> int | None:
        """Return how much more the disk takes where the job writes; None where that is not known."""

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """See to it that the files of an abandoned container stay; say whether they are there."""

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Let the launch have the files of the abandoned container."""


@dataclass(slots=True)
class _Running:
    launch: Launch
    container: Any
    started: float = field(default_factory=time.monotonic)


class Containers:
    """The jobs of one run on one engine."""

    def __init__(
        self, setting: Setting, connect: Callable[[], Any], files: Files, edgetpu: Callable[[Launch], str | None], lost: str = "daemon_lost"
    ) -> None:
        self._setting, self._connect, self._files, self._edgetpu, self._lost = setting, connect, files, edgetpu, lost
        self._owner = _options.user(os.getuid(), os.getgid())
        self._client: Any = None
        self._running: dict[str, _Running] = {}
        self._abandoned: dict[str, Any] = {}  # fingerprint -> container
        self._claims = ExitStack()  # of containers that ended engines left; the kernel frees them with this process
        self._ends: queue.SimpleQueue[Ended | tuple[str, bool]] = queue.SimpleQueue()  # stage, and whether the engine was away
        self._ending: set[str] = set()  # stages that were asked to end
        self._followed = 0.0
        self._is_closed = False

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Find the containers that ended engines left: keep what these jobs can go on with, remove the rest."""
        wanted = {one.fingerprint for one in planned if one.fingerprint and one.record is None}
        self._client = self._client or self._connect()
        store = Store(self._setting.store)
        for container in self._client.containers.list(all=True, filters={"label": f"{_options.LABEL}={self._setting.store}"}):
            labels = container.labels
            fingerprint = labels[f"{_options.LABEL}.fingerprint"]
            if store.is_at_work(labels[f"{_options.LABEL}.run"]):
                continue  # its engine lives
            if not self._claims.enter_context(store.alone(container.id)):
                _let_begin(store, fingerprint)
                continue  # another one goes on with it
            if fingerprint in wanted and container.status in ("running", "exited") and self._files.keep(labels, work):
                self._abandoned[fingerprint] = container
            else:
                _remove(container)

    def launch(self, launch: Launch) -> None:
        """Start the job, or go on with its abandoned container; a refusal is the job's end."""
        try:
            self._client = self._client or self._connect()
            container = self._abandoned.pop(launch.fingerprint, None)
            if container is not None:
                self._files.take_over(launch, container.labels)
                _tell(launch, f"went on in the container that the run {container.labels[f'{_options.LABEL}.run']} had started")
            else:
                container = self._start(launch)
        except UserError as error:
            self._ends.put(Ended(launch.job.stage, None, 0.0, self._lost, f"{error.where}: {error.what}"))
        except Exception as error:
            self._ends.put(self._refused(launch, error))
        else:
            self._running[launch.job.stage] = _Running(launch, container)
            self._ending.discard(launch.job.stage)
            threading.Thread(target=self._watch, args=(launch.job.stage, container.id), daemon=True).start()

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""
        self._follow()
        ended: list[Ended] = []
        with suppress(queue.Empty):
            said = self._ends.get(timeout=timeout_s) if timeout_s > 0 else self._ends.get_nowait()
            while True:
                ended.append(said if isinstance(said, Ended) else self._finish(*said))
                said = self._ends.get_nowait()
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's container to end, or end it."""
        if stage in self._running:
            self._ending.add(stage)
            with suppress(Exception):  # it may have ended meanwhile, or its engine be away: `wait` tells
                self._running[stage].container.kill("SIGKILL" if force else "SIGTERM")

    def close(self) -> None:
        """Remove every container of this run."""
        self._is_closed = True
        for running in self._running.values():
            _remove(running.container)
        for container in self._abandoned.values():
            _remove(container)
        self._running.clear()
        self._claims.close()
        if self._client is not None:
            self._client.close()

    def _start(self, launch: Launch) -> Any:
        mounts, log = self._files.mounts(self._client, launch), self._files.log(launch)
        path = _python_path(self._setting, self._client.images.get(launch.job.place.image))
        options = _options.container(launch, self._setting, self._owner, mounts, log, self._edgetpu(launch), path)
        container = self._client.containers.create(**options)
        try:
            self._files.send(self._client, container, launch)
            container.start()
        except BaseException:
            _remove(container)
            raise
        return container

    def _refused(self, launch: Launch, error: Exception) -> Ended:
        with suppress(Exception):
            self._files.collect(self._client, None, launch)
        text = _engine.said(error)
        if _engine.is_gone(error):
            return Ended(launch.job.stage, None, 0.0, self._lost, f"the container engine went away: {text}")
        kind = _engine.kind_of(text)
        return Ended(launch.job.stage, None, 0.0, kind, _verdict.why(kind, text))

    def _watch(self, stage: str, container: str) -> None:
        """Wait for the container's end in a thread of its own; an engine that has gone is given time to come back."""
        from docker.errors import NotFound

        was_away, client = False, None
        while True:
            try:
                client = client or self._connect_again()
                client.api.wait(container, timeout=None)
                self._look_at_the_engine(stage, client, container)
                break
            except NotFound:
                break
            except Exception as error:
                if client is None or not _engine.is_gone(error):
                    break
                client.close()
                client, was_away = None, True
        self._ends.put((stage, was_away))
        if client is not None:
            client.close()

    def _look_at_the_engine(self, stage: str, client: Any, container: str) -> None:
        """Raise where a container was ended by an engine that goes down itself: it ends its containers first, and says so as if all were well."""
        state = client.api.inspect_container(container)["State"]
        if state["ExitCode"] in (_verdict.KILLED, _verdict.TERMINATED) and not state["OOMKilled"] and stage not in self._ending:
            time.sleep(LEAVING_S)
            client.ping()

    def _connect_again(self) -> Any:
        limit = time.monotonic() + LOST_S
        while True:
            try:
                return self._connect()
            except UserError:
                if time.monotonic() > limit or self._is_closed:
                    raise
                time.sleep(0.5)

    def _finish(self, stage: str, was_away: bool) -> Ended:
        running = self._running.pop(stage)
        launch, container = running.launch, running.container
        try:
            if was_away:
                self._client.close()
                self._client = self._connect()
                container = self._client.containers.get(container.id)
            container.reload()
            self._files.collect(self._client, container, launch)
            own_log = container.logs(tail=50).decode(errors="replace")
        except Exception as error:
            _remove(container)
            return Ended(stage, None, time.monotonic() - running.started, self._lost,
                         f"the container engine went away, and did not come back with the container: {_engine.said(error)}")  # fmt: skip
        if own_log:
            with launch.log.open("a", encoding="utf-8") as log:
                log.write(own_log)
        _remove(container)
        state, limits = container.attrs["State"], container.attrs["HostConfig"]
        ended = _verdict.ended(stage, state, own_log, limits, lost=self._lost if was_away else "")
        if not ended.kind and (ended.status == NO_SPACE or (ended.status and "No space left on device" in log_tail(launch.log))):
            own = _options.Limits.model_validate(self._setting.options)
            return _verdict.no_space(ended, self._files.free_bytes(launch), own.tmp, own.shm)
        return ended

    def _follow(self) -> None:
        if self._running and time.monotonic() - self._followed > FOLLOW_S:
            for running in self._running.values():
                with suppress(Exception):  # the next time, or at the end
                    self._files.follow(self._client, running.container, running.launch)
            self._followed = time.monotonic()


def _let_begin(store: Store, fingerprint: str) -> None:
    """Wait until the engine that claimed a container has its job too: who came to the job's lock before it would start a twin."""
    limit = time.monotonic() + CLAIMED_S
    while time.monotonic() < limit and store.record(fingerprint) is None:
        with store.alone(fingerprint) as is_free:
            if not is_free:
                return
        time.sleep(0.05)


def _remove(container: Any) -> None:
    with suppress(Exception):  # gone already, or its engine is: the next run's `reclaim` looks again
        container.remove(force=True, v=True)


def _python_path(setting: Setting, image: Any) -> str:
    """Return where Python looks for stages, and then where the image says."""
    given = _engine.environment(image).get("PYTHONPATH")
    return os.pathsep.join([*map(str, setting.roots), *([] if given is None else [given])])


def _tell(launch: Launch, text: str) -> None:
    """Say something in the stage's name."""
    with (launch.folder / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write(json.dumps({"event": "note", "text": text, "time": time.time()}) + "\n")
