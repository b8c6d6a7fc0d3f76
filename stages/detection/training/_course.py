"""Trains a detector, and judges its averaged weights by their average precision on validation pictures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import note
from stages.detection.training import _augment, _precision
from stages.detection.training._loss import Loss
from stages.detection.training._matching import SAME, Boxes, Matcher
from stages.detection.training._network import Detector
from stages.tasks import detect
from stages.training import course
from stages.training.course import Choice, Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.boxes import Detections

FLOOR = 0.01  # lowest score of a detection that is judged
TOLERANCE = (
    0.03  # an object of a small validation part: the last epochs, with a low rate, are better
)
WEIGHT_DECAY = 1e-4
MOST_CHANGE = 10.0  # norm of a step's gradients, so that one odd picture cannot ruin the weights


@dataclass(frozen=True)
class Pictures:
    """Pictures (n, size, size, 3) uint8 and the boxes of each."""

    pictures: "NDArray[np.uint8]"
    truth: list[Boxes]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the detector is trained."""

    batch_size: int
    patience: int
    averaging: float  # decay of the exponential moving average of the weights, per step
    minutes: float  # after which training ends; 0: no bound
    augment: _augment.Strength | None
    seed: int


@dataclass(frozen=True)
class Phase:
    """Epochs whose learning rate rises during the first one and then decays as a cosine."""

    name: str
    epochs: int
    rate: float
    copy: Detector  # of the detector, that is trained
    learner: Any  # its network whose outputs are offsets and logits


class Course(course.Course):
    """Trains a copy of the detector; the detector itself gets the average of the copy's weights.

    Averaged weights are better than the last ones if pictures are few (Polyak and Juditsky, 1992).
    """

    def __init__(
        self,
        detector: Detector,
        train: Pictures,
        judged: Pictures,
        decoding: "tuple[NDArray[np.float32], dict[str, Any]]",
        settings: Settings,
    ) -> None:
        choice = Choice("val_map50", True, settings.patience, TOLERANCE)
        super().__init__(detector.network, settings.seed, choice)
        self.detector, self.settings = detector, settings
        self.train, self.judged = train, judged
        self.judging = detector.network  # or one with the same weights that simulates int8
        self._anchors, self._constants = decoding
        self.classes = int(detector.network.output["scores"].shape[-1])
        self._matcher = Matcher(self._anchors, self.classes, self._constants["box_scales"])
        self._loss = Loss(self._anchors, self._constants["box_scales"])

    def begun(self, phase: Phase) -> "tuple[Any, Callable[[list[Row], np.random.Generator], Row]]":
        optimizer = _optimizer(self.settings.averaging)
        step = self.step(phase.learner, optimizer)

        def epoch(history: list[Row], chance: np.random.Generator) -> Row:
            return self._epoch(phase, optimizer, step, history, chance)

        return optimizer, epoch

    def evaluated(self) -> Row:
        found = self.found(self.judged)
        return {"val_map50": _precision.mean(found, self.judged.truth, self.classes)}

    def found(self, data: Pictures) -> "list[Detections]":
        """Return the detections in each picture."""
        outputs = self.judging.predict(data.pictures, batch_size=8, verbose=0)
        rows = range(len(data))
        return [
            detect.found(
                {name: values[at] for name, values in outputs.items()},
                self._constants,
                self._anchors,
                FLOOR,
            )
            for at in rows
        ]

    def recall(self) -> float:
        """Return the share of the training boxes that an anchor overlaps by half."""
        boxes = np.concatenate([one.boxes[~one.ignored] for one in self.train.truth])
        best = self._matcher.best(boxes)
        return float((best >= SAME).mean()) if len(best) else 1.0

    def step(self, learner: Any, optimizer: Any) -> Any:
        """Return a compiled function that trains on a batch and returns its loss."""
        import tensorflow as tf

        @tf.function
        def step(pictures: Any, *targets: Any) -> Any:
            with tf.GradientTape() as tape:
                value = self._loss(learner(pictures, training=True), *targets)
            slopes = tape.gradient(value, learner.trainable_variables)
            optimizer.apply_gradients(zip(slopes, learner.trainable_variables, strict=True))
            return value

        return step

    def summary(self, row: Row) -> str:
        return f"loss {row['loss']:.3f}, validation mAP@0.5 {row['val_map50']:.1%}"

    def is_over(self, history: list[Row]) -> bool:
        bound = self.settings.minutes
        return bool(bound and history and history[-1]["minutes"] >= bound)

    def _epoch(
        self,
        phase: Phase,
        optimizer: Any,
        step: Any,
        history: list[Row],
        chance: np.random.Generator,
    ) -> Row:
        """Train one epoch, average the weights, and return the loss and the validation figures."""
        batches = list(_batches(len(self.train), self.settings.batch_size, chance))
        began_s, before = time.monotonic(), history[-1].get("minutes", 0.0) if history else 0.0
        total, spent = 0.0, before
        for at, rows in enumerate(batches):
            done = (len(history) + at / len(batches)) / phase.epochs
            spent = before + (time.monotonic() - began_s) / 60
            optimizer.learning_rate = _rate(phase, self._share(done, spent))
            total += float(step(*self._batch(rows, chance)))
        self._average(phase.copy.network, phase.learner.trainable_variables, optimizer)
        row = {"loss": total / len(batches), **self.evaluated()}
        spent = before + (time.monotonic() - began_s) / 60
        return {**row, "minutes": spent} if self.settings.minutes else row

    def _share(self, done: float, minutes: float) -> float:
        """Return the share of the training that is done, in epochs or in minutes."""
        bound = self.settings.minutes
        return min(1.0, max(done, minutes / bound if bound else 0.0))

    def _batch(self, rows: "NDArray[np.int64]", chance: np.random.Generator) -> tuple[Any, ...]:
        """Return pictures and targets of a step."""
        pictures, truth = self.train.pictures[rows], [self.train.truth[row] for row in rows]
        if self.settings.augment:
            values, truth = _augment.augmented(pictures, truth, self.settings.augment, chance)
        else:
            values = pictures.astype(np.float32)
        targets = self._matcher.batch(truth)
        return values, targets.classes, targets.weight, targets.offsets, targets.positive

    def _average(self, copy: Any, learnt: list[Any], optimizer: Any) -> None:
        """Copy the average of the trained copy's weights to the kept network."""
        weights = copy.get_weights()
        optimizer.finalize_variable_values(learnt)
        self.network.set_weights(copy.get_weights())
        copy.set_weights(weights)


def _rate(phase: Phase, share: float) -> float:
    """Return the learning rate after this share of the training."""
    warm = min(1.0, share * phase.epochs)
    return phase.rate * max(warm, 0.01) * 0.5 * (1 + float(np.cos(np.pi * share)))


def _batches(count: int, size: int, chance: np.random.Generator) -> "list[NDArray[np.int64]]":
    """Return the rows of each step in random order; the last step is filled up with rows of the first."""
    order = chance.permutation(count)
    steps = -(-count // size)
    return [np.sort(rows) for rows in np.resize(order, steps * size).reshape(steps, size)]


def _optimizer(averaging: float) -> Any:
    import keras

    return keras.optimizers.AdamW(
        1e-3,
        weight_decay=WEIGHT_DECAY,
        global_clipnorm=MOST_CHANGE,
        use_ema=True,
        ema_momentum=averaging,
    )


def boxes_of(truth: Any) -> list[Boxes]:
    """Return the boxes of each picture of a part, from its ground truth."""
    found: Sequence[Any] = [truth.of(row) for row in range(len(truth))]
    return [Boxes(one.boxes, one.classes, one.ignored) for one in found]


def tell_bound(minutes: float) -> None:
    """Say that a bound in minutes makes training depend on the speed of the machine."""
    if minutes:
        note(
            f"params.minutes={minutes:g} limits the training: the number of steps depends on the speed of "
            "this machine, so the model is not reproducible"
        )
