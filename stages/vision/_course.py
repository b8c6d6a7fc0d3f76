"""Trains a picture classifier in phases, and judges it by its loss on validation pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.training import course
from stages.training.course import Choice, Row
from stages.vision._truth import log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._augment import Changed


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


class Course(course.Course):
    """Trains a classifier phase by phase; each phase starts from the best weights so far."""

    def __init__(self, network: Any, train: Pictures, judged: Pictures, settings: Settings) -> None:
        super().__init__(network, settings.seed, Choice(patience=settings.patience))
        self.train, self.judged, self.settings = train, judged, settings
        self._classes = int(network.output_shape[-1])

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

    def begun(self, phase: Phase) -> "tuple[Any, Callable[[list[Row], np.random.Generator], Row]]":
        return self._compiled(phase), lambda history, chance: self._epoch(phase, chance)

    def evaluated(self) -> Row:
        return self.judge(self.network, self.judged.pictures)

    def judge(self, learner: Any, inputs: "NDArray[Any]") -> Row:
        """Return loss and accuracy of a network on the pictures for evaluating epochs."""
        scores = learner.predict(inputs, batch_size=32, verbose=0)
        return figures(scores, self.judged.classes)

    def summary(self, row: Row) -> str:
        return f"loss {row['loss']:.3f}, validation {row['val_accuracy']:.1%}"

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
        return {
            "loss": sums["loss"] / len(order),
            "accuracy": sums["categorical_accuracy"] / len(order),
            **self.judge(phase.learner, self.judged.pictures),
        }

    def _targets(self, classes: "NDArray[np.int64]") -> "NDArray[np.float32]":
        return np.eye(self._classes, dtype=np.float32)[classes]
