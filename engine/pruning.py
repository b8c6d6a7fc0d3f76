"""Watches the run of a search's job: passes the points of a curve to Optuna, and prunes the run.

It reads events like a sink, but a separate thread does the work: neither Optuna nor a slow file
system delays the run. It is the only reader of events that may end a run.
"""

import math
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine import studies
from engine.events import RunState
from engine.numerals import number
from engine.request import Pruning, SweepJob
from engine.vocabulary import Event, RunStatus

if TYPE_CHECKING:
    from optuna.trial import Trial, TrialState

Cancel = Callable[[str], None]
_LONGEST_WAIT_S = 10.0  # at the end of the run, for Optuna to get the last points
_WHY = {"median": "worse than the median of the other jobs"}
_Step = tuple[int, float, bool]  # step, value, whether the run may be pruned


class Watcher:
    """Receives the events of one run."""

    writes_files = False

    def __init__(self, folder: Path, wanted: Pruning) -> None:
        self._folder, self._wanted = folder, wanted
        self._cancel: Cancel = lambda why: None
        self._queue: queue.SimpleQueue[_Step | RunStatus] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def connect(self, cancel: Cancel) -> None:
        """Set what ends the run: it gets the reason as a sentence."""
        self._cancel = cancel

    def show(self, event: Event, state: RunState) -> None:
        """Pass on the points of the curve, and the end of the run."""
        for point in self._points(event):
            self._queue.put(point)
        if event["event"] == "run_finished":
            self._queue.put(event["status"])

    def close(self) -> str:
        """Wait a limited time until Optuna has all points, with which it judges later jobs."""
        self._thread.join(_LONGEST_WAIT_S)
        return ""

    def _points(self, event: Event) -> Iterator[_Step]:
        """Yield the points in the event; those of a cached stage are a yardstick for other jobs."""
        if event.get("stage") != self._wanted.stage:
            return
        if event["event"] == "metric" and event["name"] == self._wanted.metric:
            yield event["step"], event["value"], True
        elif event["event"] == "job_cached":
            for name, step, value, _ in event["points"]:
                if name == self._wanted.metric:
                    yield step, value, False

    def _work(self) -> None:
        try:
            self._watch()
        except Exception as error:  # whatever Optuna or the disk reports, the run goes on
            sys.stderr.write(f"warning: this job is not pruned any more: {error!r}\n")

    def _watch(self) -> None:
        from optuna.trial import TrialState

        studies.prepare()
        study = studies.pruning(self._folder, self._wanted)
        trial, is_cut, seen = study.ask(), False, set[int]()
        while not isinstance(found := self._queue.get(), str):
            step, value, may_prune = found
            if step < 0 or step in seen or is_cut:
                continue  # a second attempt at the stage reports the same steps again
            seen.add(step)
            trial.report(value, step)
            if may_prune and trial.should_prune():
                is_cut = True
                self._cancel(self._reason(step, value))
        ends = {"finished": TrialState.COMPLETE, "rejected": TrialState.COMPLETE}
        ends["pruned"] = TrialState.PRUNED
        self._tell(trial, ends.get(found, TrialState.FAIL))

    def _tell(self, trial: "Trial", state: "TrialState") -> None:
        """End the trial. Its value is the last point; a job without points has none."""
        from optuna.trial import TrialState

        study = trial.study
        points = study.get_trials(deepcopy=False)[trial.number].intermediate_values
        last = points[max(points)] if points else math.nan
        if state == TrialState.COMPLETE and math.isnan(last):
            state = TrialState.FAIL
        study.tell(trial, last if state == TrialState.COMPLETE else None, state)

    def _reason(self, step: int, value: float) -> str:
        name = f"{self._wanted.stage}.{self._wanted.metric}"
        is_worse = _WHY.get(self._wanted.pruner, "not among the best jobs")
        return f"the search pruned the run: {name} is {number(value)} at step {step}, {is_worse}"


def watcher(job: SweepJob | None) -> Watcher | None:
    """Return what watches the run, if it is a job of a search that prunes."""
    return Watcher(job.folder, job.pruning) if job and job.pruning else None
