"""Runs jobs as containers of one engine: creates, starts, inspects and removes them by label, and never
attaches to them.

Containers outlive this process. When the command is repeated, it takes over those that still match and
removes the rest. The executor provides `machine`: its engine, and how files are transferred.
"""

import queue
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from engine.containers import answers, options, pins, refusals, selection
from engine.containers.container_job import ContainerJob, remove
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError
from engine.interfaces import ContainerMachine
from engine.jobfolder import Ended, Launch
from engine.placement import Placement
from engine.plan import Planned
from engine.spec import StageSpec
from engine.store import Store

CLAIMED_S = 10.0  # how long to wait until an engine that has claimed a container starts its job
_NAME = re.compile(r"[\w@+-][\w.@+-]*")  # names of runs and fingerprints
_Result = TypeVar("_Result")
FOLLOW_S = 2.0  # interval between fetches of a stage's reports from a device
GIVE_UP_S = 5.0  # how long to wait for a job that must end but has no container yet


def _named(method: Callable[..., _Result]) -> Callable[..., _Result]:
    """Make a method raise UserError if the engine is lost, refuses, or gives an invalid response."""

    @wraps(method)
    def call(self: "Containers", *arguments: Any) -> _Result:
        from docker.errors import DockerException

        try:
            return method(self, *arguments)
        except Exception as error:
            if not (isinstance(error, DockerException) or refusals.is_gone(error)):
                raise
            fix = "check it there: docker info; then repeat the command"
            raise UserError(
                self.where,
                f"the container engine does not work: {refusals.message_of(error)}",
                fix,
            ) from None

    return call


class Containers:
    """The jobs of one run on one engine."""

    def __init__(
        self, machine: Callable[[ExecutorContext], ContainerMachine], context: ExecutorContext
    ) -> None:
        self._limits = options.limits(
            context
        )  # invalid options are reported before anything starts
        self._context, self._machine = context, machine(context)
        self._client: Any = None
        self._images: dict[str, Any] = {}  # by full name, each as of its first check
        self._looks = threading.Lock()
        self._running: dict[str, ContainerJob] = {}
        self._abandoned: dict[str, Any] = {}  # fingerprint -> container
        self._claims = (
            ExitStack()
        )  # locks of containers that ended engines left; the kernel releases them with this process
        self._claimed: set[str] = set()  # their ids
        self._ends: queue.SimpleQueue[tuple[ContainerJob, Ended]] = queue.SimpleQueue()
        self._followed = 0.0

    why_chosen = "Docker engine found; running stages in containers"
    pushes_images = False

    def unavailable(self) -> str:
        """Return why the engine cannot run this target's stages; empty if it can."""
        return self._machine.unavailable(self.reach)

    @property
    def where(self) -> str:
        """Return the engine's description for the user."""
        return self._machine.where

    def reach(self) -> Any:
        """Return a client that has just reached the engine; raise UserError if it cannot.

        Reopen a broken connection.
        """
        with suppress(Exception):
            self._client.ping()
            return self._client
        if self._client is not None:
            self._client.close()
        self._client = self._machine.connect()
        return self._client

    @_named
    def place(self, spec: StageSpec, contract: Contract) -> Placement:
        """Return where the stage runs: its image, and how its figures are labelled."""
        if spec.resources.gpu:
            self._machine.refuse_gpus(self.reach(), spec)
        platform = self._machine.platform(spec)
        image = selection.choose(self._context, platform, spec, contract, self.reach)
        note = selection.lacking(self._context, platform, spec)
        return replace(self._machine.place(spec, image), note=note)

    @_named
    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the images of these jobs that the engine does not have.

        Raise UserError if the machine cannot run them.
        """
        jobs = list(planned)
        client = self.reach()
        self._machine.refuse(client, jobs)
        return selection.missing(client, jobs)

    @_named
    def load(self, full_name: str, archive: Path) -> None:
        """Load an image into the engine."""
        pins.load(self._context.store, self.reach(), full_name, archive)

    @_named
    def prepare(self, planned: Iterable[Planned]) -> None:
        """Refuse jobs that the engine cannot run."""
        client, jobs = self.reach(), list(planned)
        for _, placement in sorted(
            {str(one.job.placement.image): one.job.placement for one in jobs}.items()
        ):
            self._image(client, placement)
        if any(one.job.spec.network for one in jobs):
            _refuse_network(client, self._limits.network)

    @_named
    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Find containers that ended engines left: keep those that these jobs can use, remove the rest."""
        wanted = {
            one.fingerprint: one.job.placement.image
            for one in planned
            if one.fingerprint and one.record is None
        }
        store = Store(self._context.store)
        ours = {"label": f"{options.LABEL}={self._context.store}"}
        with answers.sense():
            found = self.reach().containers.list(
                all=True, filters=ours, ignore_removed=True
            )  # removed by other engines meanwhile
        for container in filter(_is_ours, found):
            labels = container.labels
            fingerprint = labels.get(
                f"{options.LABEL}.fingerprint", ""
            )  # a container that only transferred files has none
            if (
                store.locks.is_at_work(labels[f"{options.LABEL}.run"])
                or container.id in self._claimed
            ):
                continue  # its engine is alive, or it already belongs to this one
            if not self._claims.enter_context(store.locks.alone(container.id)):
                _let_begin(store, fingerprint)
                continue  # another engine continues it
            self._claimed.add(container.id)
            image = self._images.get(wanted.get(fingerprint) or "")
            fits = (
                image is not None
                and container.attrs["Image"] == image.id
                and container.status in ("running", "exited")
            )
            if fits and self._machine.files.keep(labels, work):
                self._abandoned[fingerprint] = container
            else:
                remove(container)

    def launch(self, launch: Launch) -> None:
        """Start the job, or continue with its abandoned container.

        A refusal ends the job, which `wait` reports.
        """
        container = self._abandoned.pop(launch.fingerprint, None)
        if container is not None:
            self._machine.files.take_over(launch, container.labels)
            launch.notes.append(
                "continued in the container that the run "
                f"{container.labels[f'{options.LABEL}.run']} had started"
            )
        job = ContainerJob(launch, self._context, self._machine, self._image, self._ends.put)
        self._running[launch.job.stage] = job
        job.begin(container and container.id)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""
        self._follow()
        ended: list[Ended] = []
        with suppress(queue.Empty):
            arrived = (
                self._ends.get(timeout=timeout_s) if timeout_s > 0 else self._ends.get_nowait()
            )
            while True:
                ended += self._first_end(*arrived)
                arrived = self._ends.get_nowait()
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's container to end; with `force`, kill it, and give up a job whose engine does not
        respond.
        """
        job = self._running.get(stage)
        if job is None:
            return
        is_heard = job.end(force=force)
        if force and not is_heard and job.asked_for_s > GIVE_UP_S:
            self._ends.put(
                (job, job.lost("it was abandoned: its container engine does not answer"))
            )
        elif force and job.is_immortal:
            self._ends.put(
                (job, job.lost("it was abandoned: its container engine does not end it"))
            )

    def close(self) -> None:
        """Remove every container of this run."""
        for job in self._running.values():
            job.close()
        for container in self._abandoned.values():
            remove(container)
        self._running.clear()
        self._claims.close()
        if self._client is not None:
            self._client.close()
        self._machine.close()

    def _image(self, client: Any, placement: Placement) -> Any:
        """Return the engine's image for a job. It is resolved once, so that moving its tag does not affect
        this run.
        """
        full_name = str(placement.image)
        with self._looks:
            if full_name not in self._images:
                self._images[full_name] = selection.checked(
                    client, self._context.store, full_name, placement.platform
                )
            return self._images[full_name]

    def _first_end(self, job: ContainerJob, ended: Ended) -> list[Ended]:
        """Return the end, unless the job was given up: its end was already reported."""
        if self._running.get(ended.stage) is not job:
            return []
        del self._running[ended.stage]
        return [ended]

    def _follow(self) -> None:
        if self._running and time.monotonic() - self._followed > FOLLOW_S:
            for job in self._running.values():
                job.follow()
            self._followed = time.monotonic()


def _is_ours(container: Any) -> bool:
    """Return whether this project created the container: names in its labels become file names."""
    with answers.sense():
        names = [
            container.labels.get(f"{options.LABEL}.{key}", "-") for key in ("run", "fingerprint")
        ]
        is_whole = f"{options.LABEL}.run" in container.labels and isinstance(
            container.attrs.get("Image"), str
        )
        return (
            is_whole
            and answers.is_named(container)
            and all(_NAME.fullmatch(name) for name in names)
        )


def _refuse_network(client: Any, name: str) -> None:
    """Raise UserError for a network that the engine does not have."""
    from docker.errors import NotFound

    if name in ("bridge", "host", "none") or name.startswith("container:"):
        return
    try:
        client.networks.get(name)
    except NotFound:
        fix = f"docker network create {name}; or executor.network=bridge"
        raise UserError(
            f"executor.network={name}", "the container engine has no such network", fix
        ) from None


def _let_begin(store: Store, fingerprint: str) -> None:
    """Wait until the engine that claimed a container has locked its job too: an engine that locked the job
    first would start a second container.
    """
    deadline_s = time.monotonic() + CLAIMED_S
    while fingerprint and time.monotonic() < deadline_s and store.record(fingerprint) is None:
        with store.locks.alone(fingerprint) as is_free:
            if not is_free:
                return
        time.sleep(0.05)
