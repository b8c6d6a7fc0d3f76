"""Trains the activity classifier, using operations that 8-bit accelerators support."""

import math
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, checkpoint, metric, note, progress
from engine.stage.bounds import Range
from stages.training import network as training
from stages.training.state import TrainingState

if TYPE_CHECKING:
    from pathlib import Path


class TrainMetrics(TypedDict):
    """val_accuracy: accuracy of the final weights on the validation windows (on the training windows if
    none are held out), and the size of the network.
    """

    val_accuracy: float
    val_loss: float
    parameters: float


def train(
    train: In,
    model: Out,
    *,
    epochs: Annotated[int, Range(ge=1)] = 30,
    learning_rate: Annotated[float, Range(gt=0, le=1)] = 2e-3,
    batch_size: Annotated[int, Range(ge=1)] = 64,
    width: Annotated[int, Range(ge=1)] = 64,
    branches: Annotated[int, Range(ge=1)] = 2,
    dropout: Annotated[float, Range(ge=0, lt=1)] = 0.4,
    augment: bool = True,
    limb_swap: Annotated[float, Range(ge=0, le=1)] = 0.0,
    label_smoothing: Annotated[float, Range(ge=0, lt=1)] = 0.1,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> TrainMetrics:
    """Train several small dense networks in parallel; the model is the mean of their outputs.

    train: the training part of stages.pose.dataset
    model: architecture.json and weights_*.npy, float32 (1, rows, 1, channels) -> (1, classes)

    branches:  number of dense networks; each has its own loss, so that their errors differ
    limb_swap: share of training windows with left and right arms, or legs, swapped

    epochs:          passes over the training windows
    learning_rate:   initial learning rate
    batch_size:      windows per step
    width:           units of the first hidden layer; the second has twice as many
    dropout:         share of the second hidden layer's units that are dropped per step; the
                     first layer drops half as many
    augment:         true: vary the windows as if by another camera, body and speed
    label_smoothing: share of a label that is spread over all activities
    seed:            of weights, order and augmentation
    threads:         CPU threads of TensorFlow

    The network's weights are averaged over the steps (Polyak); the learning rate follows a cosine.
    The same seed and number of threads give the same bytes, even if the training was killed and
    resumed from its checkpoint. StageError: the loss becomes NaN or infinite.
    """
    import numpy as np

    training.fix(seed, threads)
    data = _Data(train)
    learner, network = _networks(
        data.x["train"].shape[1:], len(data.labels), width, branches, dropout
    )
    batches = -(-len(data.x["train"]) // batch_size)
    optimizer = _compile(learner, network, learning_rate, epochs * batches, label_smoothing)
    chance = np.random.default_rng(seed)
    state = TrainingState(checkpoint() / "training.npz", learner, optimizer, chance)
    history = state.restore()
    _report_again(history, epochs)
    for epoch in range(len(history) + 1, epochs + 1):
        x, y = data.drawn(chance, augment, limb_swap)
        row = _epoch(
            learner, x, np.repeat(y[:, None], branches, 1), batch_size
        )  # every branch has the same targets
        _check(row, epoch)
        if "val" in data.x:
            row["val_loss"], row["val_accuracy"] = data.judge(network, "val")
        _report(row, epoch, epochs)
        history.append(row)
        state.save(history)
    optimizer.finalize_variable_values(learner.trainable_variables)
    loss, accuracy = data.judge(network, "val" if "val" in data.x else "train")
    if "val" not in data.x:
        note("no clip is held out for validation: val_accuracy is measured on the training windows")
    training.save(network, model)
    return TrainMetrics(
        val_accuracy=accuracy, val_loss=loss, parameters=float(network.count_params())
    )


class _Data:
    """The dataset's training and validation part."""

    def __init__(self, train: "Path") -> None:
        import json

        import numpy as np

        from stages.tflite import part

        self.labels = json.loads((train / "truth.json").read_text(encoding="utf-8"))["labels"]
        self._constants = json.loads((train / "constants.json").read_text(encoding="utf-8"))
        folders = {"train": train, "val": train / "validation"}
        one_hot = np.eye(len(self.labels), dtype=np.float32)
        self.x, self._y = {}, {}
        for split, folder in folders.items():
            if folder.is_dir():
                self.x[split] = np.array(part.read(folder).tensors["features"])
                classes = np.load(folder / "truth_class.npy")[np.load(folder / "truth_clip.npy")]
                self._y[split] = one_hot[classes]  # (windows, classes)
        self._keypoints = np.load(train / "keypoints.npy")  # (windows, window, joints, 3)
        self._weight = np.load(train / "weight.npy").astype(np.float64)  # (windows,)

    def drawn(self, chance: Any, augment: bool, limb_swap: float) -> tuple[Any, Any]:
        """Return an epoch's windows and targets: each window once or, if weights differ, drawn by weight."""
        from stages.pose import _augment
        from stages.tasks.keypoints import encoding

        count, weight = len(self._weight), self._weight
        rows = (
            chance.choice(count, count, p=weight / weight.sum())
            if weight.std()
            else chance.permutation(count)
        )
        if not augment:
            return self.x["train"][rows], self._y["train"][rows]
        seen = _augment.augmented(
            self._keypoints[rows], self._constants["joints"], limb_swap, chance
        )
        return encoding.window_features(seen, self._constants), self._y["train"][rows]

    def judge(self, network: Any, split: str) -> tuple[float, float]:
        """Return the network's loss and accuracy on a part."""
        loss, accuracy = network.evaluate(self.x[split], self._y[split], batch_size=256, verbose=0)
        return float(loss), float(accuracy)


def _networks(
    shape: tuple[int, ...], classes: int, width: int, branches: int, dropout: float
) -> tuple[Any, Any]:
    """Return two networks with input (rows, 1, channels): one for training, with each branch's logits
    (branches, classes), and one with the classes' probabilities.
    """
    import keras
    from keras import layers

    inputs = keras.Input(shape, name="features")
    flat = layers.Flatten()(inputs)  # (batch, rows * channels)
    outputs = [_branch(flat, classes, width, dropout) for _ in range(branches)]
    apart = layers.Concatenate(axis=1)(
        [layers.Reshape((1, classes))(one) for one in outputs]
    )  # (batch, branches, classes)
    logits = outputs[0] if branches == 1 else layers.Average()(outputs)
    return keras.Model(inputs, apart), keras.Model(inputs, layers.Softmax()(logits))


def _branch(x: Any, classes: int, width: int, dropout: float) -> Any:
    from keras import layers

    for units, lost in ((width, dropout / 2), (width * 2, dropout)):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(lost)(x)
    return layers.Dense(classes)(x)  # (batch, classes)


def _compile(
    learner: Any, network: Any, learning_rate: float, steps: int, label_smoothing: float
) -> Any:
    """Set loss, metrics and optimizer of the networks, and return the optimizer."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(learning_rate, max(1, steps))
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=1e-3, use_ema=True, ema_momentum=0.98, ema_overwrite_frequency=None
    )
    penalty = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing
    )
    learner.compile(optimizer, penalty, metrics=["categorical_accuracy"])
    network.compile(loss="categorical_crossentropy", metrics=["categorical_accuracy"])
    return optimizer


def _epoch(network: Any, x: Any, y: Any, batch_size: int) -> dict[str, float]:
    """Train one epoch in the given order, and return the mean loss and accuracy of its windows."""
    sums = {"loss": 0.0, "categorical_accuracy": 0.0}
    for start in range(0, len(x), batch_size):
        part = slice(start, start + batch_size)
        results = network.train_on_batch(x[part], y[part], return_dict=True)
        sums = {name: total + float(results[name]) * len(x[part]) for name, total in sums.items()}
    return {"loss": sums["loss"] / len(x), "accuracy": sums["categorical_accuracy"] / len(x)}


def _check(row: dict[str, float], epoch: int) -> None:
    if not math.isfinite(row["loss"]):
        raise StageError(
            f"the loss is {row['loss']} in epoch {epoch}: lower learning_rate, or check for broken "
            "keypoints"
        )


def _report_again(history: list[dict[str, float]], epochs: int) -> None:
    """Report the epochs of an earlier attempt that this one continues."""
    if history:
        note(f"training resumes after epoch {len(history)}")
    for epoch, row in enumerate(history, 1):
        _report(row, epoch, epochs)


def _report(row: dict[str, float], epoch: int, epochs: int) -> None:
    for name, value in row.items():
        metric(name, value, epoch)
    progress(epoch, epochs, f"loss {row['loss']:.3f}")
