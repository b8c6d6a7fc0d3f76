"""Finds out what y is: classes or numbers, and what they are called."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, note

CLASSIFY, REGRESS = "classify", "regress"
_MOST_CLASSES = 1000
_FEW = 20  # different whole numbers that are taken for classes
_NAMED = 5


@dataclass(frozen=True)
class Targets:
    """The truth of both parts: the numbers of classes (int64), or values (float64)."""

    task: str
    train: NDArray[Any]  # (examples,)
    test: NDArray[Any]
    name: str = "y"
    labels: tuple[str, ...] = ()
    are_numbers: bool = False  # whether the labels are whole numbers


def targets(y_train: Any, y_test: Any, task: str | None) -> Targets:
    """Return the truth; StageError: it has missing values, one class, or does not fit the task."""
    name = str(getattr(y_train, "name", None) or "y")
    train, test = _array(y_train, "y_train"), _array(y_test, "y_test")
    if len({_columns(train), _columns(test)}) > 1:
        raise StageError("y_train and y_test have different numbers of columns: make them equal")
    if _columns(train) > 1:
        train, test = _from_one_hot(train, test)
    train, test = train.reshape(len(train)), test.reshape(len(test))
    chosen = task or _inferred(train)
    if chosen == REGRESS:
        return Targets(REGRESS, _numbers(train, "y_train"), _numbers(test, "y_test"), name)
    return _classes(train, test, name)


def _array(y: Any, what: str) -> NDArray[Any]:
    array = np.asarray(y)
    if array.ndim == 0 or not len(array):
        raise StageError(f"{what} has no values: return one for each example")
    if array.dtype == object and all(isinstance(one, str) for one in array.flat):
        array = array.astype(str)
    elif array.dtype == object:
        array = _from_objects(array, what)
    if array.dtype.kind == "f" and (lacking := int(np.isnan(array).sum())):
        raise StageError(f"{what} has {lacking} missing values (NaN): leave these examples out")
    if array.dtype.kind not in "biufU":
        raise StageError(f"{what} contains {array.dtype}: return numbers, or names of classes")
    if array.ndim > 2:
        raise StageError(f"{what} has the shape {list(array.shape)}: return one value per example")
    return array


def _from_objects(array: NDArray[Any], what: str) -> NDArray[Any]:
    try:
        return array.astype(np.float64)
    except (ValueError, TypeError):
        odd = next(one for one in array.flat if not isinstance(one, str))
        raise StageError(
            f"{what} mixes text with {odd!r:.40}: return numbers only, or text only, without missing values"
        ) from None


def _columns(array: NDArray[Any]) -> int:
    return array.shape[1] if array.ndim == 2 else 1


def _from_one_hot(train: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    columns = _columns(train)
    for part in (train, test):
        is_one_hot = part.dtype.kind in "biuf" and np.isin(part, (0, 1)).all()
        if not (is_one_hot and (part.sum(1) == 1).all()):
            raise StageError(
                f"y has {columns} columns, which are not a one-hot code of classes: models with several "
                "outputs cannot be packed here; return one value per example"
            )
    note(f"y is one-hot: read as {columns} classes")
    return train.argmax(1), test.argmax(1)


def _inferred(train: NDArray[Any]) -> str:
    """Return the task that the values suggest, and say so."""
    if train.dtype.kind in "Ub":
        return CLASSIFY
    values = np.unique(train)
    if len(values) < 2:
        return CLASSIFY  # refused there
    is_whole = bool((values == np.round(values)).all())
    if is_whole and (len(values) == 2 or (len(values) <= _FEW and train.dtype.kind in "iu")):
        note(
            f"task: classify, because y has {len(values)} different whole numbers; if they are amounts, "
            "write params.task=regress"
        )
        return CLASSIFY
    note(
        "task: regress, because y has many different numbers; for classes, write params.task=classify"
    )
    return REGRESS


def _numbers(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    if values.dtype.kind == "U":
        raise StageError(
            f"{what} is text, which cannot be predicted as a number: set params.task=null"
        )
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise StageError(f"{what} is infinite in places: leave these examples out")
    return numbers


def _classes(train: NDArray[Any], test: NDArray[Any], name: str) -> Targets:
    values = np.unique(train)
    if len(values) < 2:
        raise StageError(f"y_train has one class, '{values[0]}': return examples of two or more")
    if len(values) > _MOST_CLASSES:
        raise StageError(
            f"y_train has {len(values):,} different values, which are too many classes: if they are "
            "amounts, write params.task=regress"
        )
    if len(unseen := np.setdiff1d(test, values)):
        shown = ", ".join(map(str, unseen[:_NAMED]))
        raise StageError(
            f"y_test has classes that y_train lacks: {shown}. Divide the examples so that both parts have "
            "all classes: train_test_split(..., stratify=y)"
        )
    are_numbers = values.dtype.kind in "iu" or (
        values.dtype.kind == "f" and bool((values == np.round(values)).all())
    )
    labels = tuple(str(int(one)) if are_numbers else str(one) for one in values)
    if len(set(labels)) < len(labels) or any("\n" in one for one in labels):
        raise StageError("two classes have the same name, or a name has a line break: rename them")
    found = (np.searchsorted(values, part).astype(np.int64) for part in (train, test))
    return Targets(CLASSIFY, *found, name, labels, are_numbers)
