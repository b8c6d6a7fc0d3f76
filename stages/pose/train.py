"""The stage that trains the activity classifier, with operations that the Edge TPU takes."""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, StageError, metric, note, progress

if TYPE_CHECKING:
    from pathlib import Path


class TrainMetrics(TypedDict):
    """val_accuracy of the weights that are kept (of windows; of the training windows where none are set aside), and the
    size of the network."""

    val_accuracy: float
    val_loss: float
    parameters: float


def train(
    dataset: In,
    model: Out,
    *,
    epochs: int = 30,
    learning_rate: float = 2e-3,
    batch_size: int = 64,
    width: int = 64,
    branches: int = 2,
    dropout: float = 0.4,
    augment: bool = True,
    limb_swap: float = 0.0,
    label_smoothing: float = 0.1,
    seed: int = 0,
    threads: int = 1,
) -> TrainMetrics:
    """Train several small dense networks side by side; the model is the mean of their answers.

    dataset: what stages.pose.dataset writes
    model:   architecture.json and weights_*.npy, float32 (1, rows, 1, channels) -> (1, classes)

    branches:  dense networks in the model; each has its own loss, so that they err differently
    limb_swap: share of training windows with left and right arms, or legs, swapped

    The network's weights are averaged over the steps (Polyak), the rate falls as a cosine. The same seed and the same number of
    threads give the same bytes. StageError: the loss is no number any more.
    """
    import json

    import keras
    import numpy as np
    import tensorflow as tf

    from stages.pose import _augment, _features

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    about = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
    constants = about["preprocessing"]
    x = {split: np.load(dataset / f"x_{split}.npy") for split in ("train", "val")}
    y = {split: np.load(dataset / f"y_{split}.npy") for split in ("train", "val")}
    keypoints = np.load(dataset / "keypoints_train.npy")
    weight = np.load(dataset / "weight_train.npy").astype(np.float64)
    learner, network = _networks(x["train"].shape[1:], len(about["labels"]), width, branches, dropout)
    steps = max(1, epochs * ((len(x["train"]) + batch_size - 1) // batch_size))
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-3, use_ema=True, ema_momentum=0.98, ema_overwrite_frequency=None)
    penalty = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    learner.compile(optimizer, penalty, metrics=["categorical_accuracy"])
    network.compile(loss="categorical_crossentropy", metrics=["categorical_accuracy"])
    targets = {split: np.eye(len(about["labels"]), dtype=np.float32)[y[split]] for split in y}
    each = np.repeat(targets["train"][:, None], branches, 1)  # (windows, branches, classes)
    chance = np.random.default_rng(seed)
    for epoch in range(epochs):
        rows = (
            chance.choice(len(keypoints), len(keypoints), p=weight / weight.sum()) if weight.std() else chance.permutation(len(keypoints))
        )
        seen = x["train"][rows]
        if augment:
            seen = _features.window_features(_augment.augmented(keypoints[rows], constants["joints"], limb_swap, chance), constants)
        row = _epoch(learner, seen, each[rows], batch_size)
        if not np.isfinite(row["loss"]):
            raise StageError(f"the loss is {row['loss']} in epoch {epoch + 1}: lower learning_rate, or look for broken keypoints")
        if len(x["val"]):
            row["val_loss"], row["val_accuracy"] = (float(v) for v in network.evaluate(x["val"], targets["val"], batch_size=256, verbose=0))
        for name, value in row.items():
            metric(name, value, epoch + 1)
        progress(epoch + 1, epochs, f"loss {row['loss']:.3f}")
    optimizer.finalize_variable_values(learner.trainable_variables)
    judged = "val" if len(x["val"]) else "train"
    if judged == "train":
        note("no clip is set aside for validation: val_accuracy is that of the training windows")
    loss, accuracy = (float(v) for v in network.evaluate(x[judged], targets[judged], batch_size=256, verbose=0))
    _save(network, model)
    return TrainMetrics(val_accuracy=accuracy, val_loss=loss, parameters=float(network.count_params()))


def _networks(shape: tuple[int, ...], classes: int, width: int, branches: int, dropout: float) -> tuple[Any, Any]:
    """Return (rows, 1, channels) -> each branch's logits (branches, classes), to train; and -> the classes' probabilities."""
    import keras
    from keras import layers

    inputs = keras.Input(shape)
    flat = layers.Flatten()(inputs)  # (batch, rows * channels)
    outputs = [_branch(flat, classes, width, dropout) for _ in range(branches)]
    apart = layers.Concatenate(axis=1)([layers.Reshape((1, classes))(one) for one in outputs])  # (batch, branches, classes)
    logits = outputs[0] if branches == 1 else layers.Average()(outputs)
    return keras.Model(inputs, apart), keras.Model(inputs, layers.Softmax()(logits))


def _branch(x: Any, classes: int, width: int, dropout: float) -> Any:
    from keras import layers

    for units, lost in ((width, dropout / 2), (width * 2, dropout)):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(lost)(x)
    return layers.Dense(classes)(x)  # (batch, classes)


def _epoch(network: Any, x: Any, y: Any, batch_size: int) -> dict[str, float]:
    """Train one epoch in the order given, so that the seed alone decides it."""
    network.reset_metrics()
    result: dict[str, Any] = {}
    for start in range(0, len(x), batch_size):
        result = network.train_on_batch(x[start : start + batch_size], y[start : start + batch_size], return_dict=True)
    return {"loss": float(result["loss"]), "accuracy": float(result["categorical_accuracy"])}


def _save(network: Any, model: "Path") -> None:
    """Write the architecture and the weights in files whose bytes depend on nothing else; a .keras file holds the time."""
    import numpy as np

    model.mkdir()
    (model / "architecture.json").write_text(network.to_json(), encoding="utf-8")
    for at, weights in enumerate(network.get_weights()):
        np.save(model / f"weights_{at:03}.npy", weights)
