"""Reads `.npy` and `.npz` files as examples of a model's inputs, and explains what does not fit."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".npy", ".npz")
_DAMAGE = (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error)


class Misfit(Exception):
    """A short reason why a file contains no example for a model."""


def is_array(path: Path) -> bool:
    """Return whether the file has the suffix of an array or of named arrays."""
    return path.suffix.lower() in SUFFIXES


def read(path: Path, inputs: Mapping[str, Tensor]) -> list[dict[str, NDArray[Any]]]:
    """Return the examples in a file, each without the batch, by the names of the inputs.

    A .npy file has the only input, a .npz file each input by name; an array is one example or several
    (examples, ...). Misfit: the file is damaged, or contains something else.
    """
    given = _arrays(path, inputs)
    if missing := sorted(set(inputs) - set(given)):
        raise Misfit(f"it lacks the input '{missing[0]}'; it has {', '.join(given) or 'nothing'}")
    rows = {name: _rows(given[name], tensor) for name, tensor in inputs.items()}
    counts = {len(values) for values in rows.values()}
    if len(counts) != 1:
        raise Misfit("its arrays have different numbers of examples")
    return [{name: values[at] for name, values in rows.items()} for at in range(counts.pop())]


def _arrays(path: Path, inputs: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    is_one = path.suffix.lower() == ".npy"
    if is_one and len(inputs) != 1:
        raise Misfit(f"the model has {len(inputs)} inputs: give them by name in a .npz file")
    try:
        with path.open("rb") as file:  # numpy does not close a damaged file
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {next(iter(inputs)): loaded}
            return {name: loaded[name] for name in loaded.files}
    except _DAMAGE as error:
        raise Misfit(_damage(error)) from None


def _damage(error: Exception) -> str:
    """Return numpy's message; replace the one about pickles, which numpy gives for files without an array."""
    if "pickle" in str(error):
        return "it contains objects instead of numbers, or is not a NumPy file"
    return str(error).partition("\n")[0] or type(error).__name__


def _rows(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Return the values of one or several examples as (examples, ...)."""
    if values.dtype.kind not in "biuf":
        raise Misfit(f"it contains {values.dtype.name}, but numbers are expected")
    one = tensor.shape[1:]
    if values.shape == one:
        return values[None]
    if values.shape[1:] == one:
        return values
    raise Misfit(f"its shape is {list(values.shape)}, but the model needs {tensor}")
