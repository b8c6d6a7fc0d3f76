"""What a run tells the record of the sweep that it is a job of."""

from pathlib import Path

from engine.events import RunState
from engine.request import Request
from engine.sweeps import record, result
from engine.wording import redact


def begin(request: Request, run_dir: Path) -> None:
    """Record where the job runs, so that a reader finds its journal from its start."""
    if job := request.sweep:
        outputs = job.folder.parents[1]
        is_below = run_dir.is_relative_to(outputs)  # unless the sweep varies outputs
        run = run_dir.relative_to(outputs) if is_below else run_dir
        command = [*map(redact, request.command)]
        record.append(job.folder, job.number, run=str(run), command=command)


def end(request: Request, state: RunState) -> None:
    """Record the result of the job."""
    if job := request.sweep:
        record.append(job.folder, job.number, **result.of(state))
