"""Trains a compiled Keras model, with the truth in the form that its loss takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, metric, note, progress
from stages.custom import _folder
from stages.custom._learnt import Learnt, Parts
from stages.training import network as training

_LOGITS, _PROBABILITIES = "", "probabilities"  # forms of a decision
_FEWEST = 20  # training examples of which some are held out


@dataclass(frozen=True)
class Settings:
    """How the model is trained."""

    epochs: int
    batch_size: int
    val_share: float
    patience: int | None
    seed: int


def learn(network: Any, parts: Parts, model: Path, folder: Path, settings: Settings) -> Learnt:
    """Train the model, and write it; StageError: it does not fit the data."""
    import keras

    keras.utils.set_random_seed(settings.seed)
    _check(network, parts)
    with _folder.explained(folder, "building the model"):
        whole = _whole(network, parts)
    outputs = _outputs(whole, parts)
    history = _fit(network, outputs, parts, settings, folder)
    form = _form(network) if parts.labels else ""
    with _folder.explained(folder, "saving the model"):
        _save(whole, model)
    val_loss = min(history.get("val_loss", []), default=None)
    return Learnt(outputs, form, whole.count_params(), len(history["loss"]), val_loss)


def _check(network: Any, parts: Parts) -> None:
    if not network.compiled:
        raise StageError(
            "model() returned a Keras model that is not compiled: add model.compile(optimizer='adam', "
            "loss=...) before you return it"
        )
    if parts.x.dtype.kind == "f" and np.isnan(parts.x).any():
        raise StageError(
            "x_train has missing values (NaN), with which a Keras model learns nothing: replace them in "
            "get_data(), for example with the column's median"
        )
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) > 1:
        raise StageError(f"the model has {len(inputs)} inputs, but get_data() returns one array x")
    if inputs and not _takes(tuple(inputs[0].shape[1:]), parts.x.shape[1:]):
        raise StageError(
            f"the model takes examples of the shape {list(inputs[0].shape[1:])}, but get_data() returned "
            f"{list(parts.x.shape[1:])}: let model() take input_shape, and use it in keras.Input"
        )


def _takes(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(wanted) == len(given) and all(
        one in (None, size) for one, size in zip(wanted, given, strict=True)
    )


def _whole(network: Any, parts: Parts) -> Any:
    """Return the model with its input and output; a subclass of keras.Model does not know its own."""
    import keras

    if getattr(network, "inputs", None) and getattr(network, "outputs", None):
        return network
    examples = keras.Input(parts.x.shape[1:])
    return keras.Model(examples, network(examples))


def _outputs(network: Any, parts: Parts) -> int:
    """Return the number of outputs; StageError: it does not fit the truth."""
    shape = tuple(network.output_shape)[1:] if len(network.outputs) == 1 else ()
    classes = len(parts.labels)
    wanted = [(classes,), (1,)] if classes == 2 else [(classes or 1,)]
    if shape not in wanted:
        needs = f"{classes} classes" if classes else "amounts"
        raise StageError(
            f"the model's output has the shape {list(network.output_shape)[1:]}, but y has {needs}: end it "
            f"with Dense({classes or 1}); model() may take the argument classes"
        )
    return int(shape[0])


def _fit(
    network: Any, outputs: int, parts: Parts, settings: Settings, folder: Path
) -> dict[str, list[float]]:
    """Return the figures of all epochs."""
    import keras

    truth = _truth(network, outputs, parts)
    held = _held_out(parts, settings)
    learnt = np.setdiff1d(np.arange(len(parts.y)), held)
    validation = (parts.x[held], truth[held]) if len(held) else None
    callbacks = [_reporter(settings.epochs)]
    if settings.patience and validation:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                patience=settings.patience, restore_best_weights=True, monitor="val_loss"
            )
        )
    with _folder.inside(folder, settings.seed), _folder.explained(folder, "training the model"):
        history = network.fit(
            parts.x[learnt],
            truth[learnt],
            validation_data=validation,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            callbacks=callbacks,
            verbose=0,
        ).history
    figures = {name: list(map(float, values)) for name, values in history.items()}
    if not np.isfinite(figures["loss"][-1]):
        raise StageError(
            f"the loss is {figures['loss'][-1]}: scale the inputs, or lower the learning rate"
        )
    return figures


def _held_out(parts: Parts, settings: Settings) -> NDArray[np.int64]:
    """Return the training examples of the validation part, drawn at random."""
    count = round(settings.val_share * len(parts.y)) if len(parts.y) >= _FEWEST else 0
    chance = np.random.default_rng(settings.seed)
    return np.sort(chance.permutation(len(parts.y))[:count])


def _truth(network: Any, outputs: int, parts: Parts) -> NDArray[Any]:
    """Return the truth as the loss takes it: numbers of classes, one-hot codes, or single values."""
    if not parts.labels or outputs == 1:
        return parts.y.astype(np.float32)[:, None]
    if "sparse" in _loss(network):
        return parts.y
    return np.eye(len(parts.labels), dtype=np.float32)[parts.y]


def _loss(network: Any) -> str:
    """Return the name of the loss: sparse_categorical_crossentropy."""
    loss = network.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", ""))
    return str(name).lower()


def _form(network: Any) -> str:
    """Return whether the outputs are probabilities, as most losses of classes expect, or logits."""
    last = network.layers[-1]
    activation = str(last.get_config().get("activation", "")).lower()
    is_probability = type(last).__name__ == "Softmax" or activation in ("softmax", "sigmoid")
    if not _loss(network).endswith("crossentropy"):
        return _PROBABILITIES if is_probability else _LOGITS
    if _takes_logits(network.loss):
        return _LOGITS
    if activation == "linear":
        note(
            "the loss expects probabilities, but the last layer returns any number: add "
            "activation='softmax', or from_logits=True to the loss"
        )
        return _LOGITS
    return _PROBABILITIES


def _takes_logits(loss: Any) -> bool:
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits", False))


def _reporter(epochs: int) -> Any:
    import keras

    def report(epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        for name, value in figures.items():
            if np.isfinite(value):
                metric(name, value, epoch + 1)
        progress(epoch + 1, epochs, f"loss {figures.get('loss', float('nan')):.4g}")

    return keras.callbacks.LambdaCallback(on_epoch_end=report)


def _save(network: Any, model: Path) -> None:
    """Write architecture and weights, or a SavedModel if layers have code of the user's."""
    import keras

    is_plain = all(
        type(one).__module__.partition(".")[0] == "keras" and type(one).__name__ != "Lambda"
        for one in network._flatten_layers()
    )
    if is_plain:
        training.save(keras.Model(network.inputs, network.outputs), model)
        return
    note("the model has layers with code of its own: saved as a SavedModel")
    network.export(str(model), verbose=False)
