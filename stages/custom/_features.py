"""Turns the user's x_train and x_test into arrays of numbers, with the names of columns if there are any."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, note

_NAMED = 5  # columns named in one sentence


@dataclass(frozen=True)
class Features:
    """The examples of both parts."""

    train: NDArray[Any]  # (examples, ...)
    test: NDArray[Any]
    names: tuple[str, ...] = ()  # of the columns, if a frame names them
    missing: tuple[int, ...] = field(
        default=()
    )  # the places of columns with missing training values

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one example."""
        return self.train.shape[1:]


def features(x_train: Any, x_test: Any, is_silent: bool = False) -> Features:
    """Return both parts in the same type; StageError: something in them is not a number."""
    names = _names(x_train)
    if names and (of_test := _names(x_test)):
        x_test = _ordered(x_test, names, of_test)
    train, test = _array(x_train, "x_train"), _array(x_test, "x_test")
    if train.shape[1:] != test.shape[1:]:
        raise StageError(
            f"an example of x_train has the shape {_shape(train)}, one of x_test {_shape(test)}: make "
            "them equal"
        )
    common = np.result_type(train, test)
    found = Features(train.astype(common, copy=False), test.astype(common, copy=False), names)
    return _checked(found, is_silent)


def _names(x: Any) -> tuple[str, ...]:
    columns = getattr(x, "columns", None)
    return () if columns is None else tuple(map(str, columns))


def _ordered(x_test: Any, names: tuple[str, ...], of_test: tuple[str, ...]) -> Any:
    if lacking := [name for name in names if name not in of_test]:
        raise StageError(f"x_test lacks the column '{lacking[0]}' of x_train: add it")
    return x_test[[x_test.columns[of_test.index(name)] for name in names]]


def _array(x: Any, what: str) -> NDArray[Any]:
    """Return numbers (examples, ...) in a type that a part can store."""
    _refuse_words(x, what)
    if hasattr(x, "toarray"):  # a sparse matrix of SciPy
        x = x.toarray()
    try:
        array = np.asarray(x)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise StageError(
            f"{what} contains something other than numbers, or examples of different sizes "
            f"({str(error).partition(chr(10))[0]:.120}): return arrays of numbers"
        ) from None
    if array.dtype.kind not in "biuf":
        raise StageError(f"{what} contains {_kind(array)}: encode it as numbers in get_data()")
    if array.ndim == 0 or 0 in array.shape:
        raise StageError(f"{what} has no examples (its shape is {list(array.shape)}): return some")
    if array.ndim == 1:
        array = array[:, None]
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _refuse_words(x: Any, what: str) -> None:
    """Refuse a frame with a column that is not numeric."""
    for name, kind in getattr(x, "dtypes", {}).items() if hasattr(x, "columns") else ():
        if getattr(kind, "kind", "O") not in "biuf":
            raise StageError(
                f"the column '{name}' of {what} contains {kind}, not numbers: encode it in get_data(), "
                "for example with pandas.get_dummies(). The use case custom_algorithm reads tables with "
                "text and dates as they are"
            )


def _kind(array: NDArray[Any]) -> str:
    return {"U": "text", "S": "bytes", "M": "dates", "m": "durations", "c": "complex numbers"}.get(
        array.dtype.kind, str(array.dtype)
    )


def _checked(found: Features, is_silent: bool) -> Features:
    """Refuse infinite values, and say which columns have missing ones."""
    if found.train.dtype.kind != "f":
        return found
    for what, part in (("x_train", found.train), ("x_test", found.test)):
        if np.isinf(part).any():
            at = tuple(map(int, np.argwhere(np.isinf(part))[0]))
            raise StageError(f"{what} is infinite at {list(at)}: replace it in get_data()")
    lacks = np.isnan(found.train).any(0) | np.isnan(found.test).any(0)
    if not lacks.any():
        return found
    places = tuple(map(int, np.flatnonzero(lacks)))
    if found.train.ndim == 2 and not is_silent:
        shown = ", ".join(found.names[at] if found.names else str(at) for at in places[:_NAMED])
        note(f"values are missing (NaN) in {len(places)} columns: {shown}")
    return Features(found.train, found.test, found.names, places)


def _shape(array: NDArray[Any]) -> list[int]:
    return list(array.shape[1:])
