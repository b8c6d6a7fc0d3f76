"""Calls `get_data()` in the user's data.py, checks what it returns, and writes training and test parts."""

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    from stages.custom._features import Features
    from stages.custom._split import Split
    from stages.custom._targets import Targets

DEFINES = {"algorithm": {"data.py:get_data": ["seed"]}}
MOST_S = 60  # of a call that is repeated, to see whether it returns the same


class DatasetMetrics(TypedDict):
    """The number of examples in both parts, of numbers in an example, of classes (0 for amounts), and of
    columns with missing values; and 1 if a second call of get_data() returned the same data, else 0.
    """

    train_examples: float
    test_examples: float
    size: float
    classes: float
    missing_columns: float
    repeatable: float


def dataset(
    algorithm: In,
    train: Out,
    test: Out,
    columns: Out,
    *,
    task: Literal["classify", "regress"] | None = None,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
) -> DatasetMetrics:
    """Call get_data() in the folder, and write what it returns as two parts.

    algorithm:   a folder with data.py, whose function get_data() returns (x_train, y_train), (x_test,
                 y_test), or the four arrays of train_test_split, or a dict of them
    train, test: parts with the tensor `row`, (examples, ...) of any shape, in the user's type;
                 truth_target.npy (examples,), int64 numbers of classes or float64 values; labels.txt of
                 classes, truth.json; test contains some raw items: a CSV with one row, or a .npy
    columns:     what the package needs beside the model: example.json, and columns.json for rows

    task: classify or regress; null: found out from y
    seed: of Python's and NumPy's random numbers; get_data() may also take it as an argument

    The user's code runs in this process, in its folder. StageError: it raises an exception, or returns
    something other than numbers, parts that do not fit together, one class, or classes without training.
    """
    import time

    from stages.custom import _features, _part, _targets

    start_s = time.monotonic()
    found = _returned(algorithm, seed)
    took_s = time.monotonic() - start_s
    features = _features.features(found.x_train, found.x_test)
    targets = _targets.targets(found.y_train, found.y_test, task)
    _check_lengths(features, targets)
    repeatable = _is_repeatable(algorithm, seed, features, targets, took_s)
    _part.write(train, test, columns, features, targets)
    return DatasetMetrics(
        train_examples=float(len(features.train)),
        test_examples=float(len(features.test)),
        size=float(features.train[0].size),
        classes=float(len(targets.labels)),
        missing_columns=float(len(features.missing)),
        repeatable=float(repeatable),
    )


def _returned(folder: "Path", seed: int) -> "Split":
    from stages.custom import _folder, _split

    with _folder.inside(folder, seed):
        returned = _folder.called(folder, "data.py", "get_data", {}, {"seed": seed})
        return _split.split(returned)


def _check_lengths(features: "Features", targets: "Targets") -> None:
    for part, x, y in (
        ("train", features.train, targets.train),
        ("test", features.test, targets.test),
    ):
        if len(x) != len(y):
            raise StageError(
                f"x_{part} has {len(x):,} examples, but y_{part} has {len(y):,}: return one value of y "
                "for each example"
            )


def _is_repeatable(
    folder: "Path", seed: int, features: "Features", targets: "Targets", took_s: float
) -> bool:
    """Return whether a second call returns the same; say so if it does not, or takes too long to try."""
    import numpy as np

    from stages.custom import _features, _targets

    if took_s > MOST_S:
        note(
            f"get_data() took {took_s:.0f} s, so it was not called twice to see if it is repeatable"
        )
        return True
    try:
        again = _returned(folder, seed)
        x = _features.features(again.x_train, again.x_test, is_silent=True)
        y = _targets.targets(again.y_train, again.y_test, targets.task)
        pairs = [(x.train, features.train), (x.test, features.test)]
        pairs += [(y.train, targets.train), (y.test, targets.test)]
        is_same = all(
            np.array_equal(one, two, equal_nan=one.dtype.kind == "f") for one, two in pairs
        )
    except StageError:
        is_same = False
    if not is_same:
        note(
            "get_data() returned other data when it was called again: results cannot be reproduced. Use "
            "fixed random states, such as train_test_split(..., random_state=0)"
        )
    return is_same
