"""Runs jobs as containers of one engine: created, started, waited for, inspected and removed by
label, never attached.

Containers outlive this process. When the command is repeated, it takes over those that still fit and
removes the rest. The executor provides `machine`: whose engine it is, and how files are transferred.
"""

import queue
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
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

CLAIMED_S = 10.0  # how long an engine that has claimed a container is given to begin with its job
_NAME = re.compile(r"[\w@+-][\w.@+-]*")  # of runs and fingerprints
_Result = TypeVar("_Result")
FOLLOW_S = 2.0  # how often what a stage says is fetched from afar
GIVE_UP_S = 5.0  # how long a job that must end may still be on its way into a container


def _named(method: Callable[..., _Result]) -> Callable[..., _Result]:
    """Let a call raise UserError if the engine goes away meanwhile, refuses, or answers with
    nonsense.
    """

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
                f"the container engine does not work: {refusals.said(error)}",
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
        self._images: dict[str, Any] = {}  # by full name, as each was when it was looked at
        self._looks = threading.Lock()
        self._running: dict[str, ContainerJob] = {}
        self._abandoned: dict[str, Any] = {}  # fingerprint -> container
        self._claims = (
            ExitStack()
        )  # of containers that ended engines left; the kernel frees them with this process
        self._claimed: set[str] = set()  # their ids
        self._ends: queue.SimpleQueue[tuple[ContainerJob, Ended]] = queue.SimpleQueue()
        self._followed = 0.0

    why_chosen = "Docker engine found; running stages in containers"

    def unavailable(self) -> str:
        """Return why the engine can run nothing of this target; empty if it can."""
        return self._machine.unavailable(self.reach)

    @property
    def where(self) -> str:
        """Return which engine it is, for the user."""
        return self._machine.where

    def reach(self) -> Any:
        """Return a client of the engine that has just been answered; UserError if there is none.

        A way that broke is opened again.
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
        """Return where the stage runs: in which image, and under which label its figures stand."""
        return self._machine.place(
            spec,
            selection.choose(
                self._context, self._machine.platform(spec), spec, contract, self.reach
            ),
        )

    @_named
    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the images of these jobs that the engine does not have.

        UserError if the machine could not run them.
        """
        jobs = list(planned)
        client = self.reach()
        self._machine.refuse(client, jobs)
        return selection.missing(client, jobs)

    @_named
    def load(self, full_name: str, archive: Path) -> None:
        """Give the engine an image."""
        pins.load(self._context.store, self.reach(), full_name, archive)

    @_named
    def prepare(self, planned: Iterable[Planned]) -> None:
        """Refuse what the engine could not run."""
        client, jobs = self.reach(), list(planned)
        for _, placement in sorted(
            {str(one.job.placement.image): one.job.placement for one in jobs}.items()
        ):
            self._image(client, placement)
        if any(one.job.spec.network for one in jobs):
            _refuse_network(client, self._limits.network)

    @_named
    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Find the containers that ended engines left: keep what these jobs can use, remove the
        rest.
        """
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
            )  # by other engines, meanwhile
        for container in filter(_is_ours, found):
            labels = container.labels
            fingerprint = labels.get(
                f"{options.LABEL}.fingerprint", ""
            )  # what only carried files has none
            if (
                store.locks.is_at_work(labels[f"{options.LABEL}.run"])
                or container.id in self._claimed
            ):
                continue  # its engine lives, or it is this one's already
            if not self._claims.enter_context(store.locks.alone(container.id)):
                _let_begin(store, fingerprint)
                continue  # another one continues with it
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

        A refusal is the job's end, which comes from `wait`.
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
            said = self._ends.get(timeout=timeout_s) if timeout_s > 0 else self._ends.get_nowait()
            while True:
                ended += self._first_end(*said)
                said = self._ends.get_nowait()
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's container to end, or end it; by force also a job whose engine does not
        hear.
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
        """Return the engine's image of a job, looked at once: who moves its name meanwhile does not
        move the jobs of this run.
        """
        full_name = str(placement.image)
        with self._looks:
            if full_name not in self._images:
                self._images[full_name] = selection.checked(
                    client, self._context.store, full_name, placement.platform
                )
            return self._images[full_name]

    def _first_end(self, job: ContainerJob, ended: Ended) -> list[Ended]:
        """Return the end where it is that of a job at work: one that was given up has been told
        already.
        """
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
    """True for what an engine of this project made: what its names say becomes names of files here."""
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
    """Wait until the engine that claimed a container has its job too: who came to the job's lock
    before it would start a twin.
    """
    deadline_s = time.monotonic() + CLAIMED_S
    while fingerprint and time.monotonic() < deadline_s and store.record(fingerprint) is None:
        with store.locks.alone(fingerprint) as is_free:
            if not is_free:
                return
        time.sleep(0.05)
