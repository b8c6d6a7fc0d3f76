"""Calls `model()` in the user's model.py, and trains what it returns: Keras or scikit-learn."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.custom._learnt import Learnt, Parts

DEFINES = {"algorithm": {"model.py:model": ["input_shape", "classes", "seed"]}}
KEYWORDS = {"arguments": ["algorithm", "model.py:model"]}


class TrainMetrics(TypedDict):
    """The numbers that the model stores; and the epochs and the best val_loss of a Keras model. is_exact is 1
    for a scikit-learn estimator, whose arrays give the same answers; a Keras model is quantised later.
    """

    parameters: float
    is_exact: float
    epochs: NotRequired[float]
    val_loss: NotRequired[float]


def train(
    algorithm: In,
    train: In,
    test: In,
    model: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    arguments: dict[str, Any] | None = None,
    epochs: Annotated[int, Range(ge=1)] = 20,
    batch_size: Annotated[int, Range(ge=1)] = 32,
    val_share: Annotated[float, Range(ge=0, lt=1)] = 0.15,
    patience: Annotated[int, Range(ge=1)] | None = None,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 2,
) -> TrainMetrics:
    """Train the model on all training examples.

    algorithm:   a folder with model.py, whose function model(...) returns a compiled Keras model, or a
                 scikit-learn estimator or pipeline; if it names them, it also gets input_shape, the shape
                 of one example, classes (None for amounts) and seed
    train, test: the parts that stages.custom.dataset wrote; the test examples are only used to check that
                 the arrays of an estimator answer as scikit-learn does
    model:       arrays.npz of an estimator; architecture.json and weights_*.npy of a Keras model, or a
                 SavedModel if it contains code of the user's
    decision:    JSON, stages.tasks.columns.decision: what the model's outputs mean

    arguments:  further keyword arguments of model()
    epochs, batch_size, val_share, patience: of a Keras model; a share of the training examples is held out
                to see val_loss; training ends when that has not improved for `patience` epochs, and the best
                epoch is kept. null: all epochs, and the last one is kept
    seed:       of the random numbers of Python, NumPy and Keras
    threads:    CPU threads of TensorFlow

    Estimators are packed only if their conversion is exact: the answers of the arrays are compared with
    scikit-learn's for every training and test example. StageError: model() raises an exception, or
    returns something else, or the estimator has no exact form.
    """
    import json

    from stages.custom import _estimator, _learnt, _network

    parts = _learnt.read(train, test)
    made = _made(algorithm, arguments or {}, parts, seed, threads)
    kind = _learnt.kind(made)
    if kind == "estimator":
        learnt = _estimator.learn(made, parts, model, algorithm, seed)
    else:
        settings = _network.Settings(epochs, batch_size, val_share, patience, seed)
        learnt = _network.learn(made, parts, model, algorithm, settings)
    decision.write_text(json.dumps(_constants(parts, learnt)) + "\n", encoding="utf-8")
    metrics = TrainMetrics(parameters=float(learnt.parameters), is_exact=float(kind == "estimator"))
    if learnt.epochs:
        metrics["epochs"] = float(learnt.epochs)
    if learnt.val_loss is not None:
        metrics["val_loss"] = learnt.val_loss
    return metrics


def _made(
    folder: "Path", arguments: dict[str, Any], parts: "Parts", seed: int, threads: int
) -> Any:
    """Return what the user's model() returns."""
    from stages.custom import _folder

    if _names_tensorflow(folder):  # before the model is built: then it is too late
        from stages.training import network

        network.fix(seed, threads)
    offered = {
        "input_shape": tuple(parts.x.shape[1:]),
        "classes": len(parts.labels) or None,
        "seed": seed,
    }
    with _folder.inside(folder, seed):
        made = _folder.called(folder, "model.py", "model", arguments, offered)
    if made is None:
        raise StageError("model() returned nothing: end it with 'return' and the model")
    return made


def _names_tensorflow(folder: "Path") -> bool:
    """Return whether the user's code mentions Keras or TensorFlow, which take seconds to import."""
    import re

    texts = (path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*.py"))
    return any(re.search(r"\b(keras|tensorflow)\b", text) for text in texts)


def _constants(parts: "Parts", learnt: "Learnt") -> dict[str, Any]:
    """Return the package's constants: how the outputs of the model are read."""
    from stages.tasks.columns.decision import CLASSIFY, REGRESS, VALUE, Decision

    if parts.labels:
        decision = Decision(parts.target, CLASSIFY, learnt.form)
    else:
        decision = Decision(parts.target, REGRESS, VALUE)
    return {**decision.as_constants(), "outputs": learnt.outputs}
