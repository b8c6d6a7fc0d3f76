"""Trains the network for a table: an ensemble of small dense networks in one."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.tabular._goal import Goal

SOME_ROWS = 2_000  # that represent all


class TrainMetrics(TypedDict):
    """Figures on training and validation rows, each judged by members of the ensemble that have not learnt
    it: val_loss (log loss) and val_accuracy of classes, val_mad (mean absolute deviation) of numbers. The
    epoch that was kept, and the number of the network's weights that are not always zero.
    """

    val_loss: NotRequired[float]
    val_accuracy: NotRequired[float]
    val_mad: NotRequired[float]
    epoch: float
    parameters: float


def train(
    train: In,
    model: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    members: Annotated[int, Range(ge=2, le=64)] = 16,
    hidden: Annotated[int, Range(ge=1, le=1024)] = 64,
    second: Annotated[int, Range(ge=1, le=1024)] = 32,
    epochs: Annotated[int, Range(ge=1)] = 40,
    batch_size: Annotated[int, Range(ge=1)] = 128,
    learning_rate: Annotated[float, Range(gt=0, le=1)] = 3e-3,
    weight_decay: Annotated[float, Range(ge=0, le=1)] = 1e-2,
    input_dropout: Annotated[float, Range(ge=0, lt=1)] | None = None,
    dropout: Annotated[float, Range(ge=0, lt=1)] = 0.2,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 2,
) -> TrainMetrics:
    """Train an ensemble of networks with two hidden layers on the rows of training and validation.

    train:    the part that stages.tabular.dataset writes
    model:    architecture.json and weights_*.npy: (1, size) of 0 to 255 -> logits (1, classes or levels)
    decision: JSON, stages.tasks.columns.decision: what the logits mean

    members:       networks in the ensemble; the answer is that of their mean logits
    hidden:        units of a member's first hidden layer
    second:        units of a member's second hidden layer
    epochs:        passes over the rows; more, if they are few. The best one by validation is kept
    batch_size:    rows per step; fewer if there are few rows
    learning_rate: initial one; it follows a cosine
    weight_decay:  of AdamW
    input_dropout: share of a row's values that a step drops; null: 0 for at least 1000 rows with a number of
                   more than 32 values, which needs exact inputs, otherwise 0.1
    dropout:       share of the hidden units that a step drops
    seed:          of weights, order, folds and dropout
    threads:       CPU threads of TensorFlow; their number changes the order of summation

    Each member leaves out one of eight folds of the rows, so that every row is judged by members that have
    not learnt it, even in a small table: the bagging of Erickson et al., "AutoGluon-Tabular", 2020. A number
    is learnt as its distribution over levels, and the answer is the median. The same seed and number of
    threads give the same bytes, even if the training was killed and resumed. StageError: fewer than two
    different rows; the loss becomes NaN or infinite.
    """
    import json

    import numpy as np

    from stages.tabular import _course, _folds
    from stages.tabular._members import Members, Shape
    from stages.tasks.columns.decision import REGRESS
    from stages.training import network as training

    training.fix(seed, threads)
    rows, goal = _learnt(train)
    fold = _folds.folds(rows, goal.truth, min(_folds.FOLDS, members), seed)
    if not fold.any():
        raise StageError("all training rows are equal, so there is nothing to learn: add rows")
    settings = _course.Settings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        input_dropout=goal.input_dropout(len(rows)) if input_dropout is None else input_dropout,
        dropout=dropout,
        seed=seed,
    )
    shape = Shape(
        size=rows.shape[1],
        members=members,
        hidden=hidden,
        second=second,
        outputs=goal.targets.shape[1],
    )
    ensemble = Members(shape, _energy(rows), goal.targets.mean(0), seed)
    best = _course.Course(ensemble, rows, goal, fold, settings).run()
    note(f"kept epoch {best['epoch']:.0f} of {epochs}, by {goal.chosen_by}")
    decision.write_text(json.dumps(goal.decision.as_constants()), encoding="utf-8")
    floor = None
    if (
        goal.decision.task == REGRESS
    ):  # small errors of the logits move a median, but rarely change a class
        floor = ensemble.floor(rows[:: max(1, len(rows) // SOME_ROWS)])
    training.save(ensemble.network(floor), model)
    weights = sum(int(np.prod(one.shape)) for one in ensemble.best)
    kept: dict[str, Any] = {name: value for name, value in best.items() if name != "loss"}
    return TrainMetrics(**kept, parameters=float(weights))


def _learnt(train: "Path") -> "tuple[NDArray[np.uint8], Goal]":
    """Return the rows of training and validation, (rows, size), and what to learn from them."""
    import json

    import numpy as np

    from stages.tabular import _goal
    from stages.tasks.columns.decision import CLASSIFY
    from stages.tflite import part

    about = json.loads((train / "truth.json").read_text(encoding="utf-8"))
    folders = [one for one in (train, train / "validation") if one.is_dir()]
    rows = np.concatenate([part.read(one).tensors["row"] for one in folders])
    truth = np.concatenate([np.load(one / "truth_target.npy") for one in folders])
    if about["task"] == CLASSIFY:
        return rows, _goal.of_classes(about["target"], truth, len(about["labels"]))
    return rows, _goal.of_numbers(about["target"], truth)


def _energy(rows: "NDArray[np.uint8]") -> float:
    """Return the mean squared length of rows of 0 to 1."""
    import numpy as np

    some = rows[:: max(1, len(rows) // SOME_ROWS)].astype(np.float32) / 255
    return float(np.square(some).sum(1).mean())
