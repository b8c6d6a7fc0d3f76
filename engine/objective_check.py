"""Checks a use case's objectives: stages return them, and the rule for the best job names them."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from engine.contract import Contract
from engine.errors import UserError, did_you_mean
from engine.foreach import MARK, base_of
from engine.spec import Objectives, UseCase, listed_metrics


@dataclass(slots=True)
class ObjectiveCheck:
    """The mistakes and warnings about the objectives of one use case."""

    usecase: UseCase
    contracts: Mapping[str, Contract]
    left_out: Mapping[str, str]  # stages that are not planned -> the reason
    where: str  # the key, for messages
    mistakes: list[UserError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Find all mistakes and warnings."""
        wanted = self.usecase.objective
        if not isinstance(wanted, Objectives):
            for name in self.usecase.objectives:
                self._metric(name, self.where)
            return
        for key, value in (("maximise", wanted.maximise), ("minimise", wanted.minimise)):
            for name in listed_metrics(value):
                self._metric(name, f"{self.where}.{key}")
        self.mistakes += _several(wanted, self.usecase.objectives, self.where)

    def _metric(self, wanted: str, location: str) -> None:
        if self._may_be_returned(wanted):
            return
        metrics = [
            f"{name}.{one}" for name, found in self.contracts.items() for one in found.metrics or ()
        ]
        means = [f"{base_of(one)}{one[one.rindex('.') :]}.mean" for one in metrics if MARK in one]
        former = self._former(wanted)
        if former != wanted and former in metrics:
            self.warnings.append(
                f"the objective {wanted} is now called {former}: write that instead"
            )
            return
        known = {*metrics, *means, *(f"{one.removesuffix('.mean')}.sd" for one in means)}
        stage = wanted.rpartition(".")[0]
        if wanted not in known:
            what = f"no stage returns '{wanted}'"
            self.mistakes.append(UserError(location, what, _nearest_metric(wanted, known)))
        elif stage in self.left_out:
            what = f"'{stage}' is left out: {self.left_out[stage]}"
            self.mistakes.append(
                UserError(location, what, "choose a metric of another stage, or another target")
            )

    def _former(self, metric: str) -> str:
        """Return the metric under its stage's current name."""
        stage, _, name = metric.rpartition(".")
        return next(
            (
                f"{now}.{name}"
                for now, spec in self.usecase.stages.items()
                if spec.formerly == stage
            ),
            metric,
        )

    def _may_be_returned(self, metric: str) -> bool:
        """Return whether the metric's stage does not declare which metrics it returns."""
        open_ended = [name for name, contract in self.contracts.items() if contract.metrics is None]
        return any(metric.startswith((f"{name}.", f"{base_of(name)}.")) for name in open_ended)


def _several(wanted: Objectives, known: Collection[str], where: str) -> Iterator[UserError]:
    """Yield the mistakes that only several objectives can have."""
    if not known:
        yield UserError(where, "it names no metric", "write 'maximise: STAGE.METRIC' below it")
        return
    if twice := {*listed_metrics(wanted.maximise)} & {*listed_metrics(wanted.minimise)}:
        what = f"'{min(twice)}' is both maximised and minimised"
        yield UserError(where, what, "remove it from 'maximise' or from 'minimise'")
    named = {f"{where}.best.limits.{name}": name for name in wanted.best.limits}
    if wanted.best.prefer:
        named[f"{where}.best.prefer"] = wanted.best.prefer
    for location, name in named.items():
        if name not in known:
            what = f"'{name}' is not an objective of this use case"
            yield UserError(location, what, did_you_mean(name, known))


def _nearest_metric(wanted: str, known: Collection[str]) -> str:
    """Return the fix for an unknown metric: the same metric of another stage, or a similar metric of
    the same stage.
    """
    name = wanted.rpartition(".")[2]
    same = [one for one in known if one.rpartition(".")[2] == name]
    stages = sorted({one.partition(".")[0] for one in known})
    near = difflib.get_close_matches(wanted.partition(".")[0], stages, n=1)
    own = [one for one in known if one.partition(".")[0] in near]
    if same and len(same) < len(known):
        return did_you_mean(same[0], same[:1])
    return did_you_mean(wanted, own) if own else did_you_mean("", known)
