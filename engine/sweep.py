"""A sweep: its jobs, in any process or on any node that a launcher uses, and their exit statuses.

Hydra's sweepers drop the return value of a job, so each job writes a small file instead. The files
are in the outputs folder, which all jobs of a sweep share.
"""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from engine import compose, handles, interrupts, invocation, layout, mistakes
from engine.durable import write_whole
from engine.layout import store_dir
from engine.registration import CommandLine

FAILED = 1


@dataclass(frozen=True, slots=True)
class Statuses:
    """The folder with the statuses of one sweep; pickled with each job."""

    folder: Path

    def begin(self, job: int) -> None:
        """Record the job as failed until it reports its end: its worker may be killed."""
        self.end(job, FAILED)

    def end(self, job: int, status: int) -> None:
        """Record how the job ended."""
        write_whole(self.folder / str(job), str(status).encode(), durable=False)

    def worst(self) -> int:
        """Return the highest status; a job without a status, although a later one has one, has failed."""
        found = {int(path.name): int(path.read_text()) for path in self.folder.glob("[0-9]*")}
        if not found:
            return FAILED
        return max(found.get(job, FAILED) for job in range(max(found) + 1))

    def remove(self) -> None:
        """Remove the folder."""
        handles.remove(self.folder)


@dataclass(frozen=True, slots=True)
class Job:
    """The callable that a launcher runs for each job. It is pickled, with everything that a job needs."""

    command: str
    line: CommandLine
    statuses: Statuses

    def __call__(self, config: DictConfig) -> float | None:
        """Run the job and return its objective; its mistakes do not stop the other jobs."""
        invocation.make_printable()  # `cli` did not run in a launcher's process
        compose.guard_environment()
        job = compose.job_number()
        self.statuses.begin(job)
        objective = None
        try:
            request = compose.under_hydra(config, self.line)
            status, objective = invocation.run(self.command, request)
        except (KeyboardInterrupt, BrokenPipeError):  # the other jobs must not run either
            self.statuses.end(job, invocation.INTERRUPTED)
            raise
        except Exception as error:
            status = mistakes.tell(error, self.line)
        self.statuses.end(job, status)
        return objective


def is_asked_for(line: CommandLine) -> bool:
    """Return whether the line has `-m`, or `--multirun` or a prefix of it that argparse accepts."""
    return any(word == "-m" or re.fullmatch("--m[a-z]*", word) for word in line.words)


def run(command: str, line: CommandLine) -> int:
    """Run the command once for each combination of values, and return the highest exit status."""
    outputs = compose.outputs(line)
    layout.make_outputs(outputs)
    made = statuses(outputs)
    try:
        # a launcher ends the processes that it started only if it sees the exception
        with interrupts.interruptible(), interrupts.terminable():
            compose.with_flags(line, Job(command, line, made))
        return made.worst()
    finally:
        made.remove()


def statuses(outputs: Path) -> Statuses:
    """Return an empty folder for the statuses of a new sweep."""
    folder = store_dir(outputs.absolute()) / "sweeps" / f"statuses-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return Statuses(folder)
