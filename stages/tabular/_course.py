"""Trains the members of the ensemble together, and keeps the epoch with the best validation figure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.stage import StageError, checkpoint, metric, note, progress
from stages.tabular._goal import Goal
from stages.tabular._members import Drop, Members
from stages.tasks.columns.encoding import ONE
from stages.training.state import TrainingState

FEWEST_STEPS = 30  # of an epoch: it passes over few rows several times
FEWEST_BATCHES = 16  # into which the rows are divided
MOST_JUDGED = 20_000  # rows that measure an epoch
CHUNK = 2048  # rows that are judged at once
MOMENTUM = 0.98  # of the averages of the weights
Row = dict[str, float]  # the figures of an epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the members are trained; see stages.tabular.train."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    input_dropout: float
    dropout: float
    seed: int


class Course:
    """The epochs of the ensemble; an interrupted one resumes."""

    def __init__(
        self,
        members: Members,
        rows: NDArray[np.uint8],
        goal: Goal,
        fold: NDArray[np.int64],
        settings: Settings,
    ) -> None:
        """rows: (n, size); fold: (n,), the members of a fold do not learn its rows."""
        self._members, self._goal, self._settings = members, goal, settings
        self._rows, self._fold = rows, fold
        self._fold_of_member = np.arange(members.shape.members) % (int(fold.max()) + 1)
        count = len(rows)
        self._batch = max(1, min(settings.batch_size, -(-count // FEWEST_BATCHES)))
        self._steps = max(FEWEST_STEPS, -(-count // self._batch))
        self._judged = np.linspace(0, count - 1, min(count, MOST_JUDGED)).round().astype(np.int64)
        self._top = float("inf")

    def run(self) -> Row:
        """Train all epochs, and return the figures of the best one; its weights are the members' best."""
        optimizer = _optimizer(self._settings, self._settings.epochs * self._steps)
        chance = np.random.default_rng([self._settings.seed, 2])
        state = TrainingState(checkpoint() / "members.npz", self._members, optimizer, chance)
        history = state.restore()
        if history:
            note(f"training resumes after epoch {len(history)}")
        best: Row = {}
        for epoch, row in enumerate(history, 1):
            best = self._told(row, epoch) or best
        step, judge = self._step(optimizer), self._judge()
        while len(history) < self._settings.epochs:
            losses = [float(step(*drawn)) for drawn in self._drawn(chance)]
            row = {"loss": float(np.mean(losses)), **self._figures(judge)}
            _check(row)
            history.append(row)
            if told := self._told(row, len(history)):
                best = told
                _assign(self._members.best, self._members.averages)
            state.save(history)
        return best

    def _told(self, row: Row, epoch: int) -> Row:
        """Report an epoch, and return its figures if they are the best so far."""
        for name, value in row.items():
            metric(name, value, epoch)
        chosen_by = self._goal.chosen_by
        progress(epoch, self._settings.epochs, f"{chosen_by} {row[chosen_by]:.4f}")
        if row[chosen_by] >= self._top:
            return {}
        self._top = row[chosen_by]
        return {**row, "epoch": float(epoch)}

    def _drawn(self, chance: np.random.Generator) -> Iterator[tuple[Any, ...]]:
        """Yield what each step of an epoch learns: every row once, and then again if they are few."""
        rows = np.zeros(0, np.int64)
        for _ in range(self._steps):
            if not len(rows):
                rows = chance.permutation(len(self._rows))
            chosen, rows = rows[: self._batch], rows[self._batch :]
            learns = self._fold_of_member[:, None] != self._fold[chosen]
            seed = chance.integers(0, 2**30, 2, dtype=np.int32)
            given = (self._rows[chosen], self._goal.targets[chosen], learns.astype(np.float32))
            yield *map(tf.constant, given), tf.constant(seed)

    def _figures(self, judge: Callable[..., Any]) -> Row:
        """Return the validation figures: each row is judged by the members that have not learnt it."""
        found = []
        for start in range(0, len(self._judged), CHUNK):
            rows = self._judged[start : start + CHUNK]
            judges = self._fold_of_member[:, None] == self._fold[rows]
            share = judges / judges.sum(0)
            logits = judge(tf.constant(self._rows[rows])).numpy()  # (members, n, outputs)
            found.append(np.einsum("mn,mno->no", share, logits))
        return self._goal.figures(np.concatenate(found), self._judged)

    def _judge(self) -> Callable[..., Any]:
        members = self._members
        signature = [tf.TensorSpec((None, members.shape.size), tf.uint8)]

        @tf.function(input_signature=signature)
        def judge(rows: Any) -> Any:
            return members.logits(members.averages, tf.cast(rows, tf.float32) / ONE)

        return judge  # type: ignore[no-any-return]

    def _step(self, optimizer: Any) -> Callable[..., Any]:
        """Return a function that trains one step, and returns the members' mean loss."""
        members, settings = self._members, self._settings
        shape = members.shape
        signature = [
            tf.TensorSpec((None, shape.size), tf.uint8),
            tf.TensorSpec((None, shape.outputs), tf.float32),
            tf.TensorSpec((shape.members, None), tf.float32),
            tf.TensorSpec((2,), tf.int32),
        ]

        @tf.function(input_signature=signature)
        def step(rows: Any, targets: Any, learns: Any, seed: Any) -> Any:
            drop = Drop(seed, settings.input_dropout, settings.dropout)
            variables = members.trainable_variables
            with tf.GradientTape() as tape:
                logits = members.logits(variables, tf.cast(rows, tf.float32) / ONE, drop)
                wanted = tf.broadcast_to(targets, tf.shape(logits))
                losses = tf.nn.softmax_cross_entropy_with_logits(wanted, logits)
                loss = tf.reduce_sum(tf.reduce_mean(losses * learns, 1))
            gradients = tape.gradient(loss, [one.value for one in variables])
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            for average, variable in zip(members.averages, variables, strict=True):
                average.assign(MOMENTUM * average + (1 - MOMENTUM) * variable)
            return loss / shape.members

        return step  # type: ignore[no-any-return]


def _optimizer(settings: Settings, steps: int) -> Any:
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    found = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    found.exclude_from_weight_decay(var_names=["bias"])
    return found


def _assign(variables: list[Any], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _check(row: Row) -> None:
    if not np.isfinite(list(row.values())).all():
        raise StageError(f"the loss is {row['loss']}: lower learning_rate")
