"""The course of a training: phases of epochs, the best of which is kept, and continues after a kill."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError, checkpoint, durable_file, metric, note, progress
from stages.training.state import TrainingState
from stages.vision import _augment

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = dict[str, float]  # the metrics of an epoch


@dataclass(frozen=True)
class Phase:
    """Epochs with the same layers to train; the rate falls as a cosine."""

    name: str
    epochs: int
    rate: float


@dataclass(frozen=True)
class Pictures:
    """Pictures (n, side, side, 3) uint8, their classes (n,), and how much each counts (n,)."""

    pictures: "NDArray[np.uint8]"
    classes: "NDArray[np.int64]"
    weight: "NDArray[np.float32]"


@dataclass(frozen=True)
class Settings:
    """What every phase has in common."""

    batch_size: int
    patience: int
    label_smoothing: float
    augment: bool
    flip: bool
    seed: int


class Course:
    """Trains a network phase by phase."""

    def __init__(
        self, network: Any, train: Pictures, val: Pictures, phases: list[Phase], settings: Settings
    ) -> None:
        self._network, self._train, self._val, self._set = network, train, val, settings
        self._classes = int(network.output_shape[-1])
        self._epochs = sum(phase.epochs for phase in phases)
        self._done = 0
        self._best_file = checkpoint() / "best.npz"
        self.best: Row = {}
        self._best_weights: list[Any] = network.get_weights()

    def run(self, phase: Phase) -> None:
        """Train a phase to its end, or until validation has not improved for `patience` epochs."""
        optimizer = self._compiled(phase)
        chance = np.random.default_rng([self._set.seed, self._done])
        state = TrainingState(checkpoint() / f"{phase.name}.npz", self._network, optimizer, chance)
        history = state.restore()
        if history:
            note(f"training continues after epoch {self._done + len(history)}")
        for at, row in enumerate(history):
            self._note(row, self._done + at + 1, is_new=False)
        while len(history) < phase.epochs and not self._has_stalled(history):
            row = self._epoch(chance)
            history.append(row)
            self._note(row, self._done + len(history), is_new=True)
            state.save(history)
        self._done += len(history)
        self._epochs -= phase.epochs - len(history)

    def finish(self) -> None:
        """Give the network the best epoch's weights."""
        if not self.best:
            self.best = {**self._judged(), "epoch": 0.0}
        self._network.set_weights(self._best_weights)

    def _compiled(self, phase: Phase) -> Any:
        import keras

        batches = -(-len(self._train.pictures) // self._set.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(phase.rate, max(1, phase.epochs * batches))
        optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=self._set.label_smoothing)
        self._network.compile(optimizer, loss, metrics=["categorical_accuracy"])
        return optimizer

    def _epoch(self, chance: np.random.Generator) -> Row:
        """Train one epoch, and return its loss and accuracy, and those of validation."""
        data, size = self._train, self._set.batch_size
        order = chance.permutation(len(data.pictures))
        sums = {"loss": 0.0, "categorical_accuracy": 0.0}
        for start in range(0, len(order), size):
            rows = np.sort(order[start : start + size])  # the file is mapped
            pictures = data.pictures[rows]
            x = (
                _augment.augmented(pictures, self._set.flip, chance)
                if self._set.augment
                else pictures.astype(np.float32)
            )
            said = self._network.train_on_batch(
                x, self._targets(data.classes[rows]), data.weight[rows], return_dict=True
            )
            sums = {name: total + float(said[name]) * len(rows) for name, total in sums.items()}
        row = {
            "loss": sums["loss"] / len(order),
            "accuracy": sums["categorical_accuracy"] / len(order),
            **self._judged(),
        }
        if not np.isfinite([row["loss"], row["val_loss"]]).all():
            raise StageError(f"the loss is {row['loss']}: lower learning_rate and tuning_rate")
        return row

    def _judged(self) -> Row:
        """Return loss and accuracy of validation; of training where nothing is set aside."""
        data = self._val if len(self._val.pictures) else self._train
        scores = self._network.predict(data.pictures, batch_size=64, verbose=0)
        right = scores[np.arange(len(scores)), data.classes]  # (n,)
        return {
            "val_loss": float(-np.log(np.maximum(right, 1e-7)).mean()),
            "val_accuracy": float((scores.argmax(1) == data.classes).mean()),
        }

    def _targets(self, classes: "NDArray[np.int64]") -> "NDArray[np.float32]":
        return np.eye(self._classes, dtype=np.float32)[classes]

    def _note(self, row: Row, epoch: int, *, is_new: bool) -> None:
        """Report an epoch, and keep its weights if it is the best so far."""
        for name, value in row.items():
            metric(name, value, epoch)
        progress(
            epoch, self._epochs, f"loss {row['loss']:.3f}, validation {row['val_accuracy']:.1%}"
        )
        if self.best and row["val_loss"] >= self.best["val_loss"]:
            return
        self.best = {**row, "epoch": float(epoch)}
        if is_new:
            self._best_weights = self._network.get_weights()
            with durable_file(self._best_file) as file:
                np.savez(file, *self._best_weights)
        else:
            with np.load(self._best_file) as saved:
                self._best_weights = [saved[f"arr_{at}"] for at in range(len(saved.files))]

    def _has_stalled(self, history: list[Row]) -> bool:
        losses = [row["val_loss"] for row in history]
        return bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= self._set.patience
