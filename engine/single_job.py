"""Runs one stage as a single job, for a command that needs its outputs only temporarily.

It uses the same executor as a run would: this machine's, or that of the target's device.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine import interrupts, jobfolder
from engine.contract import Contract
from engine.dispatch import Dispatcher, executor_context
from engine.errors import UserError
from engine.jobfolder import Ended, JobFolder, Launch, log_tail
from engine.placement import Placement
from engine.plan import Job, Planned
from engine.request import Request
from engine.sealing import BadOutput, seal
from engine.spec import StageSpec

WAIT_S = 0.5
GRACE_S = 25.0  # from Ctrl-C until the stage is killed: longer than a stream may be silent
REFUSAL = "error: "  # engine.stage's prefix for the message of a StageError
HERE = StageSpec.model_validate(
    {"runs_on": "host"}
)  # a process on this machine, whatever the executor
ON_THIS_MACHINE = "run it on this machine: target.device=null executor=local"
Provide = Callable[[Dispatcher, Sequence[Planned]], None]  # gives executors the images they lack
Watch = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Done:
    """How the job ended, where its outputs are, the end of its log, and its notes."""

    succeeded: bool
    outputs: Mapping[str, Path]
    log_tail: str
    notes: Sequence[str] = ()
    interrupted: bool = False  # whether it ended on request

    @property
    def refusal(self) -> str | None:
        """Return the stage's objection to the user's data, or None if it failed in another way."""
        return (
            self.log_tail.removeprefix(REFUSAL)
            if not self.succeeded and self.log_tail.startswith(REFUSAL)
            else None
        )


def run(
    request: Request,
    contract: Contract,
    work: Path,
    inputs: Mapping[str, Path | None],
    params: Mapping[str, object],
    spec: StageSpec = HERE,
    provide: Provide = lambda executors, jobs: None,
    watch: Watch | None = None,
) -> Done:
    """Run the stage where its spec says, and wait for its end.

    work: a locked folder of the store; containers are labelled with its name until they are removed.
    watch: called with the job's out/ while the stage runs and when it has ended; with it, Ctrl-C asks
    the stage to end, and its outputs so far are returned.
    Raise UserError if the stage cannot run anywhere, or its machine is unreachable.
    """
    with closing(dispatcher(request)) as executors:
        function = contract.invoke["function"]
        place = placed(executors, spec, contract)
        job = Job(function, spec, contract, {}, contract.outputs, params, place)
        planned = [Planned(job, work.name, None, None, "")]
        provide(executors, planned)
        executors.prepare(planned)
        launch = _laid_out(job, work, inputs)
        made = jobfolder.identities(launch.folder)
        ended, asked = (
            _watched(executors, launch, watch) if watch else (_ended(executors, launch), False)
        )
    notes = _notes(launch, planned[0])
    if ended.status != 0:
        return Done(False, {}, ended.why or log_tail(launch.log), notes, asked)
    try:
        collected = jobfolder.take_out(launch.folder, made, contract, work / "outputs")
        for name, path in collected.items():
            seal(name, path)
    except BadOutput as error:
        return Done(False, {}, f"{function}: {error}", notes, asked)
    return Done(True, collected, log_tail(launch.log), notes, asked)


def dispatcher(request: Request) -> Dispatcher:
    """Return the executors of the request."""
    chosen = request.settings.executor
    return Dispatcher(executor_context(request), chosen.name, chosen.first_of)


def placed(executors: Dispatcher, spec: StageSpec, contract: Contract) -> Placement:
    """Return where the stage runs; raise UserError if it cannot run anywhere."""
    try:
        return executors.place(spec, contract)
    except UserError as mistake:  # such as a module that no image of the target has
        raise UserError(mistake.where or contract.label, mistake.what, ON_THIS_MACHINE) from None


def _laid_out(job: Job, work: Path, inputs: Mapping[str, Path | None]) -> Launch:
    """Make the job's folder. The work folder's name serves as fingerprint, since nothing is stored."""
    folder = work / "job"
    (folder / "out").mkdir(parents=True)
    description = {
        **job.contract.invoke,
        "params": dict(job.params),
        "inputs": {name: str(path) if path else None for name, path in inputs.items()},
        "outputs": {name: str(folder / "out" / job.contract.file_of(name)) for name in job.outputs},
    }
    (folder / "job.json").write_text(json.dumps(description), encoding="utf-8")
    return Launch(job, folder, work / "job.log", work.name, work.name, inputs=inputs)


def _ended(executors: Dispatcher, launch: Launch) -> Ended:
    executors.launch(launch)
    while not (ended := executors.wait(WAIT_S)):
        continue
    return ended[0]


def _watched(executors: Dispatcher, launch: Launch, watch: Watch) -> tuple[Ended, bool]:
    """Return how the job ended, and whether it was asked to."""
    out, force_at = launch.folder / "out", math.inf
    with interrupts.postponed() as is_asked:
        executors.launch(launch)
        while not (ended := executors.wait(WAIT_S)):
            watch(out)
            if is_asked() and force_at == math.inf:
                executors.terminate(launch.job.stage, force=False)
                force_at = time.monotonic() + GRACE_S
            elif time.monotonic() >= force_at:
                executors.terminate(launch.job.stage, force=True)
        watch(out)
        return ended[0], is_asked()


def _notes(launch: Launch, planned: Planned) -> list[str]:
    events = JobFolder(launch.folder, planned, launch.inputs).poll(to_the_end=True)
    return [str(event["text"]) for event in events if event["event"] == "note"]
