"""Trains networks on sparse features, epoch by epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, checkpoint, metric, note, progress
from stages.text import _network
from stages.training.state import TrainingState

if TYPE_CHECKING:
    from stages.text._sparse import Batch, Sparse

FEWEST_STEPS = 30  # of an epoch: it passes over few sentences several times
FEWEST_BATCHES = 16  # into which the sentences are divided
BATCH = 512  # sentences that are judged at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How networks are trained; see stages.text.train."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    feature_dropout: float
    dropout: float
    seed: int


@dataclass(frozen=True)
class Sentences:
    """Sentences as features, with what the network should answer."""

    features: "Sparse"
    intents: NDArray[np.int64]  # (n,) -1: out of scope
    classes: int

    def at(self, rows: NDArray[np.int64]) -> "Sentences":
        return Sentences(self.features.at(rows), self.intents[rows], self.classes)

    def joined(self, other: "Sentences") -> "Sentences":
        """Return both kinds of sentences, these first."""
        intents = np.concatenate([self.intents, other.intents])
        return Sentences(self.features.joined(other.features), intents, self.classes)

    def targets(self, smoothing: float) -> NDArray[np.float32]:
        """Return the probabilities to be learnt, (n, classes): equal ones for a sentence out of scope."""
        found = np.full((len(self.intents), self.classes), 1 / self.classes, np.float32)
        inside = np.flatnonzero(self.intents >= 0)
        found[inside] *= smoothing
        found[inside, self.intents[inside]] += 1 - smoothing
        return found

    def all(self) -> "list[Batch]":
        """Return all sentences in batches, in order."""
        rows = np.arange(len(self.intents))
        return [self.features.batch(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]

    def outputs(self, network: Any) -> NDArray[np.float32]:
        """Return the network's logits (n, classes)."""
        return _network.outputs(network, self.all())


def figures(logits: NDArray[np.float32], intents: NDArray[np.int64]) -> dict[str, float]:
    """Return loss and accuracy of a network with these logits (n, classes) on the sentences in scope."""
    from stages.tasks.head import softmax

    inside = np.flatnonzero(intents >= 0)
    truth, judged = intents[inside], logits[inside].astype(np.float64)
    right = softmax(judged)[np.arange(len(truth)), truth]
    return {
        "val_loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
        "val_accuracy": float((judged.argmax(1) == truth).mean()),
    }


class Course:
    """The epochs of one or several networks in turn; each resumes where it was interrupted."""

    def __init__(self, smoothing: float, settings: Settings, networks: int) -> None:
        self._smoothing, self._settings = smoothing, settings
        self._networks, self._done = networks, 0  # all, and those trained so far

    def train(self, network: Any, sentences: Sentences, judged: Sentences | None) -> None:
        """Train a network; judged: the sentences that measure its progress.

        Its weights become their average over the last steps (Polyak and Juditsky, SIAM Journal on
        Control and Optimization, 1992).
        """
        epochs = self._settings.epochs
        lesson = Lesson(sentences, sentences.targets(self._smoothing), self._settings)
        optimizer = _optimizer(self._settings, epochs * lesson.steps)
        step = _step(network, optimizer, self._settings.dropout)
        chance = np.random.default_rng([self._settings.seed, self._done])
        file = checkpoint() / f"network_{self._done}.npz"
        state = TrainingState(file, network, optimizer, chance)
        history = state.restore()
        if history:
            note(f"training resumes after epoch {self._done * epochs + len(history)}")
        for epoch, row in enumerate(history, 1):
            self._report(row, epoch)
        while len(history) < epochs:
            row = {"loss": lesson.epoch(step, chance)}
            if judged:
                row |= figures(judged.outputs(network), judged.intents)
            _check(row)
            history.append(row)
            self._report(row, len(history))
            state.save(history)
        optimizer.finalize_variable_values(network.trainable_variables)
        self._done += 1

    def _report(self, row: dict[str, float], epoch: int) -> None:
        epochs = self._settings.epochs
        done = self._done * epochs + epoch
        for figure, value in row.items():
            metric(figure, value, done)
        progress(done, self._networks * epochs, f"loss {row['loss']:.3f}")


@dataclass(frozen=True)
class Lesson:
    """The batches of an epoch."""

    sentences: Sentences
    targets: NDArray[np.float32]  # (n, classes)
    settings: Settings

    @property
    def size(self) -> int:
        """The number of sentences in a batch; fewer if there are few sentences."""
        return max(1, min(self.settings.batch_size, -(-len(self.targets) // FEWEST_BATCHES)))

    @property
    def steps(self) -> int:
        return max(FEWEST_STEPS, -(-len(self.targets) // self.size))

    def epoch(self, step: "Callable[..., Any]", chance: np.random.Generator) -> float:
        """Train an epoch, and return the mean loss of its steps."""
        import tensorflow as tf

        losses = []
        for rows in self._drawn(chance):
            batch = self.sentences.features.batch(rows, chance, self.settings.feature_dropout)
            seed = chance.integers(0, 2**31, 2, dtype=np.int32)
            losses.append(step(batch.tensor(), tf.constant(self.targets[rows]), tf.constant(seed)))
        return float(np.mean([float(loss) for loss in losses]))

    def _drawn(self, chance: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of the batches: every sentence once, and then again if they are few."""
        rows = np.zeros(0, np.int64)
        for _ in range(self.steps):
            if not len(rows):
                rows = chance.permutation(len(self.targets))
            yield rows[: self.size]
            rows = rows[self.size :]


def _optimizer(settings: Settings, steps: int) -> Any:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    return keras.optimizers.AdamW(
        rate,
        weight_decay=settings.weight_decay,
        use_ema=True,
        ema_momentum=0.98,
        ema_overwrite_frequency=None,
    )


def _step(network: Any, optimizer: Any, dropout: float) -> "Callable[..., Any]":
    """Return a function that trains one step, and returns its loss."""
    import tensorflow as tf

    learner = _network.forward(network, dropout)

    signature = [
        tf.SparseTensorSpec((None, network.input_shape[-1]), tf.float32),
        tf.TensorSpec((None, network.output_shape[-1]), tf.float32),
        tf.TensorSpec((2,), tf.int32),
    ]

    @tf.function(input_signature=signature)  # else each number of features would be traced anew
    def step(features: Any, targets: Any, seed: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = learner(features, seed)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        variables = network.trainable_variables
        optimizer.apply_gradients(
            zip(tape.gradient(loss, [one.value for one in variables]), variables, strict=True)
        )
        return loss

    return step


def _check(row: dict[str, float]) -> None:
    if not np.isfinite(list(row.values())).all():
        raise StageError(f"the loss is {row['loss']}: lower learning_rate")
