"""Launches jobs in worker processes so that a worker that dies is the failure of its job only.

A launcher itself gives up at the first dead worker: joblib ends the others, and those of Ray and
submitit stop collecting results although the other jobs still run.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hydra.plugins.launcher import Launcher

from engine.processes import parent
from engine.sweeps import carried, record

_POLL_S = 0.5
Batch = Sequence[Sequence[str]]  # the overrides of each job


@dataclass(frozen=True, slots=True)
class Died:
    """Takes the place of a job's result: its worker died."""

    why: str


def launch(launcher: Launcher, batch: Batch, first: int, folder: Path) -> None:
    """Launch the jobs and wait for them; record those whose worker died as failed.

    first: Hydra's number of the first job, from 0. folder: the record of the sweep. Raise what the
    launcher raises if no job had started and no worker has died.
    """
    numbers = range(first + 1, first + 1 + len(batch))
    before = {number: record.job(folder, number).facts.began for number in numbers}
    try:
        with _each_result(launcher, folder, numbers):
            results = launcher.launch(batch, initial_job_idx=first)
    except Exception as error:  # a pool of workers is broken; Ctrl-C is no Exception
        begun = [n for n in numbers if record.job(folder, n).facts.began != before[n]]
        if not begun and not isinstance(error, BrokenExecutor):
            raise
        _again(launcher, batch, first, folder, begun, Died(_in_a_line(error)))
        return
    for number, result in zip(numbers, results, strict=True):
        if isinstance(result, Died):
            _fail(folder, number, result)
        else:
            carried.unpack(result.return_value, folder.parents[1])


def _again(
    launcher: Launcher, batch: Batch, first: int, folder: Path, begun: Sequence[int], died: Died
) -> None:
    """Launch what a broken pool took down: first the jobs that were running, each on its own, since
    any of them may have broken it; then those that had not begun. If none had begun, the first one is
    launched on its own, so that every launch brings the sweep further.
    """
    running = [number for number in begun if record.job(folder, number).facts.exit is None]
    if len(batch) == 1:
        _fail(folder, first + 1, died)
        return
    alone = running if begun else [first + 1]
    for number in alone:
        launch(launcher, [batch[number - first - 1]], number - 1, folder)
    left = sorted({*range(first + 1, first + 1 + len(batch))} - {*begun, *alone})
    for _, group in groupby(enumerate(left), lambda pair: pair[1] - pair[0]):
        together = [number for _, number in group]  # a launcher numbers its jobs consecutively
        start = together[0] - first - 1
        launch(launcher, batch[start : start + len(together)], together[0] - 1, folder)


def _fail(folder: Path, number: int, died: Died) -> None:
    about = f"its worker process died ({died.why})"
    facts = {} if record.job(folder, number).facts.began else {"began": time.time()}
    record.append(folder, number, **facts)
    record.append(folder, number, ended=time.time(), exit=record.FAILED, message=about)
    sys.stderr.write(f"job {number} failed: {about}\n")


@contextmanager
def _each_result(launcher: Launcher, folder: Path, numbers: Iterable[int]) -> Iterator[None]:
    """Let the launchers of Ray and submitit collect all results, and let joblib's workers end with this
    process, even if it is killed: they have no options for it.
    """
    module = type(launcher).__module__
    if module.startswith("hydra_plugins.hydra_submitit_launcher"):
        import submitit

        left = iter(numbers)
        results = submitit.Job.results

        def collected(job: Any) -> Any:
            died = _waited_for(job, folder, next(left))
            return [died] if died else _tolerant(lambda: results(job), lambda died: [died])

        with _replaced(submitit.Job, "results", collected):
            yield
    elif module.startswith("hydra_plugins.hydra_ray_launcher"):
        from hydra_plugins.hydra_ray_launcher import _core

        get = _core.ray.get
        tolerant = SimpleNamespace(get=lambda one: _tolerant(lambda: get(one), lambda died: died))
        with _replaced(_core, "ray", tolerant):
            yield
    elif module.startswith("hydra_plugins.hydra_joblib_launcher"):
        from hydra_plugins.hydra_joblib_launcher import _core

        ending = {"initializer": parent.die_with, "initargs": (os.getpid(),)}
        with _replaced(_core, "Parallel", partial(_core.Parallel, **ending)):
            yield
    else:
        yield


def _waited_for(submitted: Any, folder: Path, number: int) -> Died | None:
    """Wait for the end of the job; return its death, which Slurm does not report without accounting."""
    while not submitted.done():
        if record.has_died(folder, number):
            return Died("its process is gone")
        time.sleep(_POLL_S)
    return None


def _tolerant(collect: Callable[[], Any], of: Callable[[Died], Any]) -> Any:
    try:
        return collect()
    except Exception as error:
        return of(Died(_in_a_line(error)))


@contextmanager
def _replaced(holder: Any, name: str, new: object) -> Iterator[None]:
    old = getattr(holder, name)
    setattr(holder, name, new)
    try:
        yield
    finally:
        setattr(holder, name, old)


def _in_a_line(error: Exception) -> str:
    """Return the exception's name and the first sentence of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -")]
    first = lines[0].partition(". ")[0] if lines else ""
    return f"{type(error).__name__}: {first:.120}" if first else type(error).__name__
