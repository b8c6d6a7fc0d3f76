"""Trains in phases of epochs, keeps the best epoch, and resumes an interrupted training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError, checkpoint, durable_file, metric, note, progress
from stages.training.state import TrainingState
from stages.vision._truth import log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._augment import Changed

Row = dict[str, float]  # the metrics of an epoch


@dataclass(frozen=True)
class Pictures:
    """Pictures (n, side, side, 3) uint8, their classes (n,) and their weights in the loss (n,)."""

    pictures: "NDArray[np.uint8]"
    classes: "NDArray[np.int64]"
    weight: "NDArray[np.float32]"

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Phase:
    """Epochs that train the same layers; the learning rate decays as a cosine."""

    name: str
    epochs: int
    rate: float
    learner: Any  # the trained network, or another one that shares its weights
    inputs: (
        "Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.float32]]"  # for these rows
    )
    warmup_epochs: int = 0  # the rate rises slowly, so that it does not destroy pretrained weights


@dataclass(frozen=True)
class Settings:
    """The settings that all phases share."""

    batch_size: int
    patience: int
    label_smoothing: float
    seed: int


def figures(scores: "NDArray[np.float32]", classes: "NDArray[np.int64]") -> Row:
    """Return loss and accuracy of probabilities (n, classes), given the true classes (n,)."""
    return {
        "val_loss": log_loss(scores, classes),
        "val_accuracy": float((scores.argmax(1) == classes).mean()),
    }


class Course:
    """Trains a network phase by phase; each phase starts from the best weights so far."""

    def __init__(self, network: Any, train: Pictures, judged: Pictures, settings: Settings) -> None:
        self.network, self.train, self.judged = network, train, judged
        self.settings = settings
        self._classes = int(network.output_shape[-1])
        self._done = 0
        self._best_file = checkpoint()
        self.best: Row = {}
        self._best_weights: list[Any] = network.get_weights()

    def phase(
        self,
        name: str,
        epochs: int,
        rate: float,
        changed: "Changed",
        learner: Any = None,
        warmup_epochs: int = 0,
    ) -> Phase:
        """Return a phase that trains the network; learner: another network that shares its weights."""
        return Phase(
            name,
            epochs,
            rate,
            learner or self.network,
            lambda rows, chance: changed(self.train.pictures[rows], chance),
            warmup_epochs,
        )

    def run(self, phase: Phase) -> None:
        """Train a phase to its end, or until validation has not improved for `patience` epochs."""
        optimizer = self._compiled(phase)
        self._best_file = checkpoint() / f"best_{phase.name}.npz"  # one file per phase
        chance = np.random.default_rng([self.settings.seed, self._done])
        state = TrainingState(checkpoint() / f"{phase.name}.npz", phase.learner, optimizer, chance)
        history = state.restore()
        if history:
            note(f"training resumes after epoch {self._done + len(history)}")
        for at, row in enumerate(history):
            self._note(phase, row, at + 1, is_new=False)
        while len(history) < phase.epochs and not self._has_stalled(history):
            row = self._epoch(phase, chance)
            history.append(row)
            self._note(phase, row, len(history), is_new=True)
            state.save(history)
        if not self.best:
            self.begin(self.judge(self.network, self.judged.pictures))
        self._done += len(history)
        self.network.set_weights(self._best_weights)

    def judge(self, learner: Any, inputs: "NDArray[Any]") -> Row:
        """Return loss and accuracy of a network on the pictures for evaluating epochs."""
        scores = learner.predict(inputs, batch_size=32, verbose=0)
        return figures(scores, self.judged.classes)

    def begin(self, best: Row) -> None:
        """Record the network's current weights as the best so far, with these figures."""
        self.best = {"epoch": 0.0, **best}
        self._best_weights = self.network.get_weights()

    def _compiled(self, phase: Phase) -> Any:
        import keras

        batches = -(-len(self.train) // self.settings.batch_size)
        warmup = phase.warmup_epochs * batches
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else phase.rate,
            max(1, phase.epochs * batches - warmup),
            warmup_target=phase.rate if warmup else None,
            warmup_steps=warmup,
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=self.settings.label_smoothing)
        phase.learner.compile(optimizer, loss, metrics=["categorical_accuracy"])
        return optimizer

    def _epoch(self, phase: Phase, chance: np.random.Generator) -> Row:
        """Train one epoch and return its training and validation loss and accuracy."""
        data, size = self.train, self.settings.batch_size
        order = chance.permutation(len(data))
        sums = {"loss": 0.0, "categorical_accuracy": 0.0}
        for start in range(0, len(order), size):
            rows = np.sort(order[start : start + size])  # the file is mapped
            step = phase.learner.train_on_batch(
                phase.inputs(rows, chance),
                self._targets(data.classes[rows]),
                data.weight[rows],
                return_dict=True,
            )
            sums = {name: total + float(step[name]) * len(rows) for name, total in sums.items()}
        row = {
            "loss": sums["loss"] / len(order),
            "accuracy": sums["categorical_accuracy"] / len(order),
            **self.judge(phase.learner, self.judged.pictures),
        }
        if not np.isfinite([row["loss"], row["val_loss"]]).all():
            raise StageError(f"the loss is {row['loss']}: lower learning_rate and tuning_rate")
        return row

    def _targets(self, classes: "NDArray[np.int64]") -> "NDArray[np.float32]":
        return np.eye(self._classes, dtype=np.float32)[classes]

    def _note(self, phase: Phase, row: Row, epoch: int, *, is_new: bool) -> None:
        """Report an epoch, and keep its weights if they are the best so far."""
        for name, value in row.items():
            metric(name, value, self._done + epoch)
        figures = f"loss {row['loss']:.3f}, validation {row['val_accuracy']:.1%}"
        progress(epoch, phase.epochs, f"{phase.name}: {figures}")
        if self.best and row["val_loss"] >= self.best["val_loss"]:
            return
        self.best = {**row, "epoch": float(self._done + epoch)}
        if is_new:
            self._best_weights = self.network.get_weights()
            with durable_file(self._best_file) as file:
                np.savez(file, *self._best_weights)
        else:
            with np.load(self._best_file) as saved:
                self._best_weights = [saved[f"arr_{at}"] for at in range(len(saved.files))]

    def _has_stalled(self, history: list[Row]) -> bool:
        losses = [row["val_loss"] for row in history]
        return bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= self.settings.patience
