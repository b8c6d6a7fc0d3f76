"""Converts a stage's reports to JSON types: Python numbers, text and lists.

NumPy and TensorFlow values are recognised by their methods (`item`, `tolist`, `numpy`); neither package
is imported.
"""

import operator
import os
from typing import Any, Iterable, Mapping, Union


def as_text(value: object) -> str:
    """Return the value as text that is valid UTF-8: invalid bytes of a file name are shown as \\xff."""
    text = str(value)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def as_number(value: Any) -> Union[int, float]:
    """Return a number, even from an array with one element.

    Raise TypeError or ValueError for anything else.
    """
    value = value.item() if hasattr(value, "item") else value
    try:
        return operator.index(value)
    except TypeError:
        return float(value)


def as_plain(value: object) -> Any:
    """Return the value in JSON types: arrays and other iterables as lists, paths and unknown objects as
    text.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, bytes, os.PathLike)):
        return as_text(os.fsdecode(value))
    if isinstance(value, Mapping):
        return {as_text(key): as_plain(one) for key, one in value.items()}
    for method in ("tolist", "numpy"):  # NumPy arrays; TensorFlow's and PyTorch's tensors
        if hasattr(value, method):
            return as_plain(getattr(value, method)())
    if isinstance(value, Iterable):
        return [as_plain(one) for one in value]
    try:
        return as_number(value)
    except (TypeError, ValueError):
        return as_text(value)
