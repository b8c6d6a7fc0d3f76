"""A job of a sweep: what a launcher runs, in this process, another one, or on another node."""

import os
import platform
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig

from engine import compose, invocation, mistakes
from engine.multirun import kept, labels
from engine.registration import CommandLine
from engine.request import Pruning, Request, SweepJob
from engine.sweeps import carried, ranking, record
from engine.sweeps.carried import Carried
from engine.wording import in_short


@dataclass(frozen=True, slots=True)
class Job:
    """The callable that a launcher runs for each job. It is pickled, with everything that a job needs."""

    command: str
    line: CommandLine
    folder: Path  # the record of the sweep
    keys: tuple[str, ...]  # that the jobs vary
    count: int | None  # of jobs
    is_parallel: bool  # several jobs run at once, and each line of their output needs a label

    def __call__(self, config: DictConfig) -> Carried | float | None:
        """Run the job and return its objective; its mistakes do not stop the other jobs."""
        invocation.make_printable()  # `cli` did not run in a launcher's process
        compose.guard_environment()
        number = compose.job_number()
        changes = compose.job_changes(self.keys)
        own = SweepJob(self.folder, number, self.count, changes, _pruning())
        labelled = labels.labelled(f"job {number}") if self.is_parallel else nullcontext()
        with labelled, record.hold(self.folder, number) as is_locked:
            objective = self._run(config, own, is_locked)
        return carried.pack(self.folder, number, objective)

    def _run(self, config: DictConfig, own: SweepJob, is_locked: bool) -> float | None:
        before = record.job(own.folder, own.number)
        if before.is_done and before.facts.changes == own.changes:
            with suppress(Exception):  # then the job runs again, and reports what is wrong
                if kept.is_current(self._request(config, own), before):
                    return self._keep(own, before)
        _begin(own, is_locked)
        objective = None
        try:
            status, objective = invocation.run(self.command, self._request(config, own))
        except (KeyboardInterrupt, BrokenPipeError):  # the other jobs must not run either
            _end(own, record.INTERRUPTED)
            raise
        except Exception as error:
            status = mistakes.tell(error, self.line)
            _end(own, status, mistakes.in_words(error, self.line))
            return None
        _end(own, status)
        return objective

    def _request(self, config: DictConfig, own: SweepJob) -> Request:
        made = compose.under_hydra(config, self.line)
        return replace(made, sweep=own) if self.command == "run" else made

    def _keep(self, own: SweepJob, before: record.Job) -> float | None:
        """Report the result of an earlier start of the sweep, and return its objective."""
        name, value = ranking.objective(before)
        count = f" of {own.count}" if own.count else ""
        result = "" if value is None else f", {name} {value:.4g}"
        words = filter(None, [f"job {own.number}{count}", in_short(own.changes)])
        sys.stdout.write(f"{' · '.join(words)}: {before.state} before{result}\n")
        sys.stdout.flush()
        return value


def _pruning() -> Pruning | None:
    """Return how the job is pruned, if it belongs to a search."""
    keys = compose.sweeper_keys()
    if "prune_by" not in keys:
        return None
    from engine.search import settings  # imports what only a search needs

    return settings.pruning(keys)


def _begin(own: SweepJob, is_locked: bool) -> None:
    """Record the job as begun; without an end it has failed, because its worker was killed."""
    host = os.environ.get("SLURMD_NODENAME") or platform.node()
    facts = {"changes": own.changes, "host": host, "pid": os.getpid(), "is_locked": is_locked}
    record.append(own.folder, own.number, began=time.time(), **facts)


def _end(own: SweepJob, status: int, message: str = "") -> None:
    """Record how the job ended."""
    about = {"message": message} if message else {}
    record.append(own.folder, own.number, ended=time.time(), exit=status, **about)
