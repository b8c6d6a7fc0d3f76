"""The Protocols of extensions: executors, drivers, sinks, and the machines on which containers run.

Three are in lower layers, since parsing targets, stages and events needs them: engine/kind.py has
that of a kind of stage, engine/accelerator.py that of an accelerator, engine/figure_kinds.py that of
a kind of figure. Contract tests check each implementation against its Protocol:
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
    """What a driver reports to."""

    def __call__(self, *events: Event) -> None:
        """Make the events durable, then show them."""


class Say(Protocol):
    """What shows the progress of a download."""

    def __call__(self, file: str, done: int, total: int, /) -> None:
        """Show how many bytes of a file are here; `total` may turn out wrong."""


class Executor(Protocol):
    """Runs single jobs: one file in engine/executors/, found by its name.

    A new one is made for each run, from a `context.ExecutorContext`.
    """

    why_chosen: str  # a sentence for the user, if it was chosen among candidates

    def unavailable(self) -> str:
        """Return why this executor cannot run anything here, in a sentence; empty if it can."""

    def place(self, spec: StageSpec, contract: Contract) -> Placement:
        """Return where a stage runs, in what environment, and where its figures are measured.

        UserError if it can run nowhere.
        """

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the full names of the images that these jobs need and that are not here.

        UserError if the machine could not run these jobs.
        """

    def load(self, full_name: str, archive: Path) -> None:
        """Take in an image that was built."""

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Make ready for these jobs; UserError if they cannot run."""

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Continue what ended engines left running, as far as these jobs need it, and remove the
        rest.
        """

    def launch(self, launch: Launch) -> None:
        """Start the job; its end comes from `wait`."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's process tree to end, or end it."""

    def close(self) -> None:
        """End all that runs, and free what the executor holds."""


class ContainerFiles(Protocol):
    """How a job's files reach the container, and how they come back."""

    def log(self, launch: Launch) -> Path | None:
        """Return where the container writes the log; None if it leaves that to its engine."""

    def mounts(self, client: Any, launch: Launch, is_wanted: Callable[[], bool]) -> list[Any]:
        """Return the container's mounts, and make sure that what they name is there.

        Raise if the job is no longer wanted.
        """

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring the job's files into the container, which has not started."""

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring what the stage has said so far."""

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring the outputs and all that was said."""

    def free_bytes(self, launch: Launch) -> int | None:
        """Return how much more the disk takes where the job writes; None if that is not known."""

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """Make sure that the files of an abandoned container stay; say whether they are there."""

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Let the launch have the files of the abandoned container."""


class ContainerMachine(Protocol):
    """The machine whose engine it is."""

    @property
    def lost(self) -> FailureKind:
        """The kind of failure of a job whose engine has gone."""

    @property
    def where(self) -> str:
        """Return which engine it is, for the user."""

    @property
    def files(self) -> ContainerFiles:
        """How files come and go there."""

    def connect(self) -> Any:
        """Return a client of the engine that has been answered; UserError that says what is in the
        way.
        """

    def unavailable(self, reach: Callable[[], Any]) -> str:
        """Return why its engine cannot run the target's stages; empty if it can."""

    def platform(self, spec: StageSpec) -> str:
        """Return the platform that the stage runs on."""

    def place(self, spec: StageSpec, image: Image) -> Placement:
        """Return where the stage runs, in this image."""

    def refuse(self, client: Any, jobs: Sequence[Planned]) -> None:
        """Raise UserError for what the machine could not run."""

    def access(self, launch: Launch) -> Access:
        """Return what the job's container gets of the target's accelerator."""

    def close(self) -> None:
        """End the way to the engine."""


class Driver(Protocol):
    """Runs a plan: one file in engine/drivers/, found by its name. Made from a
    `context.DriverContext`.
    """

    def run(self) -> RunStatus:
        """Run the plan to its end, and return the status of the run."""

    def interrupt(self) -> None:
        """Let the run end: cleanly at the first call, at once at the second. Called by a signal
        handler.
        """


class Sink(Protocol):
    """Reads the events of a run: one file in engine/sinks/, found by its name."""

    writes_files: (
        bool  # at the end of the run: it is then shown the last event before that is durable
    )

    def show(self, event: Event, state: RunState) -> None:
        """Show one event, which is durable already; the state is that after it."""

    def close(self) -> str:
        """Release what the sink holds: the run is over. Return a last line for the user, or
        nothing.
        """
