"""The exit statuses of a sweep's jobs: one small file per job, whatever process or node runs it.

A launcher may run a job in another process, and Hydra's sweepers drop what a job returns, so that files are
the one way back. They lie in the outputs folder, which all jobs of a sweep share.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path

from engine import handles
from engine.layout import store_dir
from engine.store import write_whole

FAILED = 1


@dataclass(frozen=True, slots=True)
class Statuses:
    """The folder with the statuses of one sweep; it travels to the jobs with what they run."""

    folder: Path

    def begin(self, job: int) -> None:
        """Count the job as failed until it says otherwise: its worker may be killed."""
        self.end(job, FAILED)

    def end(self, job: int, status: int) -> None:
        """Record how the job ended."""
        write_whole(self.folder / str(job), str(status).encode(), durable=False)

    def worst(self) -> int:
        """Return the highest status; a job that left none, though a later one did, has failed."""
        found = {int(path.name): int(path.read_text()) for path in self.folder.glob("[0-9]*")}
        if not found:
            return FAILED
        return max(found.get(job, FAILED) for job in range(max(found) + 1))

    def remove(self) -> None:
        """Leave nothing behind."""
        handles.remove(self.folder)


def statuses(outputs: Path) -> Statuses:
    """Return an empty place for the statuses of a new sweep."""
    folder = store_dir(outputs.absolute()) / "sweeps" / f"statuses-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return Statuses(folder)
