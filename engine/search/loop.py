"""A search: proposes the parameters of jobs, launches them, and learns from their results.

What the jobs measured is read from the record of the sweep. A search that was interrupted launches
its unfinished trials again, with the same parameters and the same job numbers.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override
from hydra.plugins.launcher import Launcher

from engine import compose, layout, objective, planning, studies, workers
from engine.errors import UserError, did_you_mean
from engine.plan import Plan
from engine.registration import CommandLine
from engine.request import Pruning
from engine.search import space
from engine.search.space import Space
from engine.store import Store
from engine.sweeps import record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial, TrialState

_GRID = "grid"
_GATES = "gates"  # a constraint of trials; more than 0: a gate rejected the job


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for: the keys of hydra/sweeper=optuna."""

    n_trials: int
    n_jobs: int  # that are launched together
    seed: int | None
    sampler: str
    options: Mapping[str, object]  # of the sampler
    pruning: Pruning | None


@dataclass(frozen=True, slots=True)
class Search:
    """A search in its sweep."""

    wanted: Wanted
    launcher: Launcher
    folder: Path  # the record of the sweep
    line: CommandLine

    def run(self, overrides: Sequence[Override]) -> None:
        """Run the search to its end; raise UserError for an invalid one, before any job starts."""
        studies.prepare()
        found = space.of(overrides)
        grid = found.grid() if self.wanted.sampler == _GRID else {}
        plan = self._plan(found)
        names = self._objectives(plan)
        self._check_pruning(plan)
        studies.mend(self.folder)
        study = self._study(plan, grid)
        most = min(self.wanted.n_trials, math.prod(map(len, grid.values()))) if grid else None
        for batch in self._batches(study, found, most or self.wanted.n_trials):
            words = [found.words(trial.params) for trial in batch]
            workers.launch(self.launcher, words, batch[0].number, self.folder)
            for trial in batch:
                self._tell(study, trial, names)

    def _plan(self, found: Space) -> Plan:
        """Return the plan of some job; raise its mistakes, which every job would have."""
        request = compose.single(replace(self.line, words=tuple(found.example())))
        with Store(layout.store_dir(request.outputs)).locks.in_use():
            try:
                planned = planning.plan(request)
            except ExceptionGroup as mistakes:
                explained = [found.explained(one) for one in mistakes.exceptions]
                raise mistakes.derive(explained) from None
        planned.executors.close()
        return planned.plan

    def _objectives(self, plan: Plan) -> Sequence[str]:
        if not plan.objectives:
            what = f"a search needs an objective, and the use case {plan.usecase} has none"
            raise UserError("hydra/sweeper=optuna", what, "write ++objective=STAGE.METRIC")
        return list(plan.objectives)

    def _check_pruning(self, plan: Plan) -> None:
        """Check that the curve's stage is planned, and the pruner's options."""
        if (wanted := self.wanted.pruning) is None:
            return
        if wanted.stage not in plan.jobs:
            where = f"hydra.sweeper.prune_by={wanted.stage}.{wanted.metric}"
            what = f"the plan has no stage '{wanted.stage}'"
            raise UserError(where, what, did_you_mean(wanted.stage, plan.jobs))
        studies.pruner(wanted.pruner, wanted.options)

    def _study(self, plan: Plan, grid: Mapping[str, Sequence[Any]]) -> "Study":
        wanted = self.wanted

        def sampler(trials: int) -> "BaseSampler":
            seed = None if wanted.seed is None else wanted.seed + trials
            return studies.sampler(wanted.sampler, wanted.options, seed, grid)

        if wanted.pruning:  # created once, and not by several jobs at the same time
            studies.pruning(self.folder, wanted.pruning)
        directions = list(objective.directions(plan).values())
        return studies.search(self.folder, directions, sampler)

    def _batches(self, study: "Study", found: Space, most: int) -> "Iterator[Sequence[Trial]]":
        """Yield trials with consecutive numbers: unfinished ones first, then new ones."""
        yield from _unfinished(study, found)
        while (left := most - len(study.get_trials(deepcopy=False))) > 0:
            count = min(self.wanted.n_jobs, left)
            yield [study.ask(dict(found.parameters)) for _ in range(count)]

    def _tell(self, study: "Study", trial: "Trial", names: Sequence[str]) -> None:
        """Tell Optuna how the job of the trial ended."""
        job = record.job(self.folder, trial.number + 1, is_over=True, is_ended=True)
        if job.state == "interrupted":
            raise KeyboardInterrupt  # the same command tries it again
        trial.set_constraint(_GATES, 1.0 if job.state == "rejected" else 0.0)
        state, values = result(job, names)
        # a grid that is complete raises it, because it wants to stop `Study.optimize`
        with suppress(RuntimeError) if self.wanted.sampler == _GRID else nullcontext():
            study.tell(trial, values, state)


def result(job: record.Job, names: Sequence[str]) -> "tuple[TrialState, list[float] | None]":
    """Return the state of the job's trial, and its values if every objective was measured."""
    from optuna.trial import TrialState

    if job.state == "pruned":
        return TrialState.PRUNED, None
    values = [job.facts.values.get(name, math.nan) for name in names]
    is_measured = not any(map(math.isnan, values))
    if job.state in ("finished", "rejected") and is_measured:
        return TrialState.COMPLETE, values
    return TrialState.FAIL, None


def _unfinished(study: "Study", found: Space) -> "Iterator[Sequence[Trial]]":
    """Yield the trials that an earlier start of the sweep did not finish, in runs of consecutive
    numbers, because a launcher numbers its jobs consecutively.
    """
    from optuna.trial import Trial, TrialState

    open_ones = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    numbered = enumerate(sorted(open_ones, key=lambda one: one.number))
    for _, same in groupby(numbered, lambda pair: pair[1].number - pair[0]):
        trials = [Trial(study, one._trial_id) for _, one in same]
        for trial in trials:
            for key, distribution in found.parameters.items():
                trial._suggest(key, distribution)  # what it has already stays as it is
        yield trials
