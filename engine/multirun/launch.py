"""Runs a sweep: opens its record, lets Hydra launch its jobs, and closes the record.

Hydra's sweepers drop the return value of a job, so each job writes what it did into the record,
which is in the outputs folder that all jobs of a sweep share.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from engine import compose, handles, interrupts, layout, locks, run_files
from engine.catalogue import ROOT
from engine.compose import SweepPlan
from engine.layout import store_dir
from engine.mlflow import sweep as mlflow_sweep
from engine.multirun.job import Job
from engine.registration import CommandLine
from engine.report import sweep as report
from engine.sweeps import ranking, record, table
from engine.sweeps.record import Asked, End, Sweep
from engine.wording import as_called, as_typed, printable

RECORDED = "run"  # the command whose sweeps keep their record


def is_asked_for(line: CommandLine) -> bool:
    """Return whether the line has `-m`, or `--multirun` or a prefix of it that argparse accepts."""
    return any(word == "-m" or re.fullmatch("--m[a-z]*", word) for word in line.words)


def run(command: str, line: CommandLine) -> int:
    """Run the command once for each combination of values, and return the highest exit status."""
    plan = compose.sweep_plan(line)
    layout.make_outputs(plan.outputs)
    asked = _asked(line, plan)
    if command != RECORDED:
        return _unrecorded(command, line, plan, asked)
    with layout.unobstructed(plan.outputs), opened(plan.outputs, asked) as folder:
        if plan.launcher.startswith("submitit"):  # its workers have no terminal
            logs = store_dir(plan.outputs) / "sweeps" / ".submitit"
            sys.stdout.write(f"the jobs write their output to files below {as_typed(logs)}\n")
        try:
            _launch(Job(command, line, folder, plan.keys, plan.count, plan.is_parallel), line)
            return _close(folder, line)
        except BaseException:
            _leave_open(folder, line)
            raise
        finally:
            if folder.is_dir():  # something ran
                mlflow_sweep.request(folder, plan.outputs, plan.tracking)


@contextmanager
def opened(outputs: Path, asked: Asked) -> Iterator[Path]:
    """Yield the folder of the interrupted sweep of the same command, or of a new sweep; lock it."""
    for folder in filter(None, [_interrupted(outputs, asked)]):
        with locks.held(folder / record.LOCK_FILE) as is_ours:
            if is_ours:
                yield folder
                return
    folder = record.create(layout.sweeps_dir(outputs), asked)
    with locks.held(folder / record.LOCK_FILE):
        yield folder


def _asked(line: CommandLine, plan: SweepPlan) -> Asked:
    return Asked(
        command=compose.command_of(line, line.words),
        folder=str(Path.cwd()),
        started=time.time(),
        keys=plan.keys,
        count=plan.count,
        launcher=plan.launcher,
        sweeper=plan.sweeper,
    )


def _interrupted(outputs: Path, asked: Asked) -> Path | None:
    """Return the newest sweep of this command if it was interrupted or killed."""
    same = [
        one
        for one in record.sweeps(outputs)
        if (one.asked.command, one.asked.folder) == (asked.command, asked.folder)
    ]
    is_open = same and same[-1].end is None and not same[-1].is_running
    return same[-1].path if is_open else None


def _unrecorded(command: str, line: CommandLine, plan: SweepPlan, asked: Asked) -> int:
    """Run a command that makes no runs, such as `plan`; its record is removed at the end."""
    folder = record.create(store_dir(plan.outputs.absolute()) / "sweeps", asked)
    try:
        _launch(Job(command, line, folder, plan.keys, plan.count, plan.is_parallel), line)
        return _read(folder).status
    finally:
        handles.remove(folder)


def _launch(job: Job, line: CommandLine) -> None:
    # a launcher ends the processes that it started only if it sees the exception
    with interrupts.interruptible(), interrupts.terminable(), _environment():
        compose.with_flags(line, job)


@contextmanager
def _environment() -> Iterator[None]:
    """Let the workers of a launcher import the engine, and let Ray show every line that they print."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _close(folder: Path, line: CommandLine) -> int:
    """Record the end of the sweep and show its jobs; return its exit status."""
    sweep = _read(folder)
    if all(job.state in ("waiting", "refused") for job in sweep.jobs):
        handles.remove(folder)  # nothing ran
        return sweep.status
    best = ranking.best(sweep.jobs)
    number = best.number if best else None
    record.finish(folder, End(ended=time.time(), status=sweep.status, best=number))
    _point_latest(sweep)
    _conclude(_read(folder), line)
    return sweep.status


def _leave_open(folder: Path, line: CommandLine) -> None:
    """Show how far an interrupted sweep got; forget one in which nothing ran."""
    sweep = _read(folder, "interrupted")
    if any(job.facts.run for job in sweep.jobs):
        _point_latest(sweep)
        _conclude(sweep, line)
    else:
        handles.remove(folder)


def _read(folder: Path, now: Literal["ended", "interrupted"] = "ended") -> Sweep:
    """Return the sweep, which this process ran and which has no living jobs any more."""
    found = record.read(folder, now)
    if found is None:
        raise OSError(f"the record of the sweep was removed or damaged while it ran: {folder}")
    return found


def _point_latest(sweep: Sweep) -> None:
    """Point `latest` of each use case and target to the best job that passed its gates."""
    groups: dict[Path, dict[int, Path]] = {}
    for job in sweep.jobs:
        path = None if job.facts.is_elsewhere else sweep.run_dir(job)
        if path and run_files.summary(path).is_complete:
            groups.setdefault(path.parent, {})[job.number] = path
    for runs in groups.values():
        best = ranking.best(job for job in sweep.jobs if job.number in runs)
        in_the_way = layout.point_latest(runs[best.number]) if best else ""
        if in_the_way:
            sys.stderr.write(f"warning: {in_the_way}\n")


def _conclude(sweep: Sweep, line: CommandLine) -> None:
    """Write the sweep's report, and show its table."""
    report.write(sweep)
    words = "".join(printable(text) + "\n" for text in table.lines(sweep))
    sys.stdout.write(f"\n{as_called(words, line.program)}")
    sys.stdout.flush()
