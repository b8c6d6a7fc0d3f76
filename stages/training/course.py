"""Trains in phases of epochs, keeps the best epoch, and resumes an interrupted training.

It does not know the network's task: a subclass says how an epoch trains and which figures it has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.stage import StageError, checkpoint, durable_file, metric, note, progress
from stages.training.state import TrainingState

Row = dict[str, float]  # the metrics of an epoch


class Phase(Protocol):
    """Epochs that train the same layers."""

    name: str
    epochs: int
    learner: Any  # the trained network: the kept one, or another one


@dataclass(frozen=True)
class Choice:
    """How the best epoch is chosen: by its lowest or its highest figure of this name."""

    name: str = "val_loss"
    is_highest: bool = False
    patience: int = 5  # epochs without a better figure after which a phase ends
    tolerance: float = (
        0.0  # how much worse than the best figure a later epoch may be and yet be chosen
    )

    def of(self, row: Row) -> float:
        """Return a number that is lower for a better epoch."""
        return -row[self.name] if self.is_highest else row[self.name]

    def prefers(self, row: Row, top: float) -> bool:
        """Return whether an epoch is chosen although an earlier one has the number `top`."""
        number = self.of(row)
        return number < top or (self.tolerance > 0 and number <= top + self.tolerance)


class Course:
    """Trains a network phase by phase; each phase starts from the best weights so far.

    A subclass has `begun(phase)`, which returns an optimizer and a function that trains one epoch, and
    `evaluated()`, the figures of the network as it is.
    """

    def __init__(self, network: Any, seed: int, choice: Choice) -> None:
        self.network, self._seed, self._choice = network, seed, choice
        self._done = 0
        self._best_file = checkpoint()
        self.best: Row = {}
        self._top = float("inf")  # the lowest number of an epoch so far
        self._best_weights: list[Any] = network.get_weights()

    def begun(self, phase: Any) -> "tuple[Any, Callable[[list[Row], np.random.Generator], Row]]":
        """Return the phase's optimizer, and the function that trains an epoch after those in a list."""
        raise NotImplementedError

    def evaluated(self) -> Row:
        """Return the validation figures of the network."""
        raise NotImplementedError

    def summary(self, row: Row) -> str:
        """Return an epoch's figures as text for the progress line."""
        raise NotImplementedError

    def is_over(self, history: list[Row]) -> bool:
        """Return whether training must end after these epochs, whatever their figures."""
        return False

    def run(self, phase: Phase) -> None:
        """Train a phase to its end, or until validation has not improved for `patience` epochs."""
        optimizer, train_epoch = self.begun(phase)
        self._best_file = checkpoint() / f"best_{phase.name}.npz"  # one file per phase
        chance = np.random.default_rng([self._seed, self._done])
        state = TrainingState(checkpoint() / f"{phase.name}.npz", phase.learner, optimizer, chance)
        history = state.restore()
        if history:
            note(f"training resumes after epoch {self._done + len(history)}")
        for at, row in enumerate(history):
            self._note(phase, row, at + 1, is_new=False)
        while len(history) < phase.epochs and not self._has_ended(history):
            row = train_epoch(history, chance)
            _check(row)
            history.append(row)
            self._note(phase, row, len(history), is_new=True)
            state.save(history)
        if not self.best:
            self.begin(self.evaluated())
        self._done += len(history)
        self.network.set_weights(self._best_weights)

    def begin(self, best: Row) -> None:
        """Record the network's current weights as the best so far, with these figures."""
        self.best = {"epoch": 0.0, **best}
        self._top = self._choice.of(self.best)
        self._best_weights = self.network.get_weights()

    def _note(self, phase: Phase, row: Row, epoch: int, *, is_new: bool) -> None:
        """Report an epoch, and keep its weights if they are the best so far."""
        for name, value in row.items():
            metric(name, value, self._done + epoch)
        progress(epoch, phase.epochs, f"{phase.name}: {self.summary(row)}")
        if not self._choice.prefers(row, self._top):
            return
        self._top = min(self._top, self._choice.of(row))
        self.best = {**row, "epoch": float(self._done + epoch)}
        if is_new:
            self._best_weights = self.network.get_weights()
            with durable_file(self._best_file) as file:
                np.savez(file, *self._best_weights)
        else:
            with np.load(self._best_file) as saved:
                self._best_weights = [saved[f"arr_{at}"] for at in range(len(saved.files))]

    def _has_ended(self, history: list[Row]) -> bool:
        figures = [self._choice.of(row) for row in history]
        waited = len(figures) - 1 - int(np.argmin(figures)) if figures else 0
        return waited >= self._choice.patience or self.is_over(history)


def _check(row: Row) -> None:
    if not np.isfinite(list(row.values())).all():
        raise StageError(f"the loss is {row['loss']}: lower learning_rate and tuning_rate")
