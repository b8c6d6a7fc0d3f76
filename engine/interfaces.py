"""The Protocols of extensions: executors, drivers, sinks, and the machines on which containers run.

Three Protocols are in lower layers, because parsing targets, stages and events needs them: kinds of
stages in engine/kind.py, accelerators in engine/accelerator.py, kinds of figures in
engine/figure_kinds.py. Contract tests check each implementation against its Protocol:
tests/engine/test_interfaces.py and the test_contract.py of its package.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from engine.accelerator import Access
from engine.contract import Contract
from engine.events import RunState
from engine.images import Image
from engine.jobfolder import Ended, Launch
from engine.placement import Placement
from engine.plan import Planned
from engine.spec import StageSpec
from engine.vocabulary import Event, FailureKind, RunStatus


class Emit(Protocol):
    """Receives the events of a driver."""

    def __call__(self, *events: Event) -> None:
        """Make the events durable, then show them."""


class Say(Protocol):
    """Shows the progress of a download or an upload."""

    def __call__(self, file: str, done: int, total: int, verb: str = "downloaded", /) -> None:
        """Show how many bytes of a file have arrived; `total` may turn out to be wrong."""


class Launcher(Protocol):
    """The part of an executor that a driver uses while a plan runs."""

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Take over what ended engines left running and these jobs need, and remove the rest."""

    def launch(self, launch: Launch) -> None:
        """Start the job; `wait` reports its end."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's process tree to end; with `force`, kill it."""


class Executor(Launcher, Protocol):
    """Runs single jobs: one file in engine/executors/, found by its name.

    Each run creates a new one from a `context.ExecutorContext`.
    """

    why_chosen: str  # the reason, as a sentence for the user, if it was chosen among candidates
    pushes_images: bool  # its images are in a registry, with code: `load` gets the report of a push

    def unavailable(self) -> str:
        """Return why this executor cannot run anything here, as a sentence; empty if it can."""

    def place(self, spec: StageSpec, contract: Contract) -> Placement:
        """Return where a stage runs, in what environment, and where its figures are measured.

        Raise UserError if it cannot run anywhere.
        """

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the full names of the images that these jobs need and that are missing.

        Raise UserError if the machine cannot run these jobs.
        """

    def load(self, full_name: str, archive: Path) -> None:
        """Load an image that was built."""

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Prepare for these jobs; raise UserError if they cannot run."""

    def close(self) -> None:
        """End all running jobs, and release the executor's resources."""


class ContainerFiles(Protocol):
    """Transfers a job's files to the container and back."""

    def log(self, launch: Launch) -> Path | None:
        """Return where the container writes the log; None if its engine keeps the log."""

    def mounts(self, client: Any, launch: Launch, is_wanted: Callable[[], bool]) -> list[Any]:
        """Return the container's mounts, and make sure that their sources exist.

        Raise an exception if the job is no longer wanted.
        """

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Copy the job's files into the container, which has not started."""

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Fetch the stage's reports so far."""

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Fetch the outputs and all reports."""

    def forget(self, client: Any, launch: Launch) -> None:
        """Remove what no other command needs; the container is gone."""

    def free_bytes(self, launch: Launch) -> int | None:
        """Return the free space on the disk that the job writes to; None if unknown."""

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """Keep the files of an abandoned container; return whether they exist."""

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Give the files of the abandoned container to the launch."""


class ContainerMachine(Protocol):
    """A machine with a container engine."""

    @property
    def lost(self) -> FailureKind:
        """Return the kind of failure of a job whose container engine was lost."""

    @property
    def where(self) -> str:
        """Return the engine's description for the user."""

    @property
    def files(self) -> ContainerFiles:
        """The object that transfers files to and from the machine."""

    def connect(self) -> Any:
        """Return a client that has reached the engine; raise UserError with the reason if it cannot."""

    def unavailable(self, reach: Callable[[], Any]) -> str:
        """Return why its engine cannot run the target's stages; empty if it can."""

    def platform(self, spec: StageSpec) -> str:
        """Return the platform that the stage runs on."""

    def place(self, spec: StageSpec, image: Image) -> Placement:
        """Return where the stage runs, in this image."""

    def refuse_gpus(self, client: Any, spec: StageSpec) -> None:
        """Raise UserError if the stage, which asks for GPUs, would not get them."""

    def refuse(self, client: Any, jobs: Sequence[Planned]) -> None:
        """Raise UserError for jobs that the machine cannot run."""

    def access(self, launch: Launch) -> Access:
        """Return the access to the target's accelerator that the job's container gets."""

    def close(self) -> None:
        """Close the connection to the engine."""


class Driver(Protocol):
    """Runs a plan: one file in engine/drivers/, found by its name. Made from a
    `context.DriverContext`.
    """

    def run(self) -> RunStatus:
        """Run the plan to its end, and return the status of the run."""

    def interrupt(self) -> None:
        """End the run: cleanly at the first call, at once at the second. Called by a signal handler."""

    def prune(self, why: str) -> None:
        """End the run cleanly as pruned; why: a sentence. Called by another thread."""


class Sink(Protocol):
    """Reads the events of a run: one file in engine/sinks/, found by its name."""

    writes_files: bool  # end of run: the sink gets the last event before it is durable

    def show(self, event: Event, state: RunState) -> None:
        """Show one event, which is already durable; `state` includes it."""

    def close(self) -> str:
        """Release the sink's resources at the end of the run. Return a last line for the user, or ""."""
