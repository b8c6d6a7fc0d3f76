"""Reads and writes a part of a data set: one memory-mapped array per tensor, and some raw items.

A part is a folder: `tensors.json` lists the tensors with shape and type of one example, `NAME.npy`
contains each (examples, ...). A tensor with `mean` and `deviation` has values that are computed from
the stored numbers: (number - mean) / deviation. `raw/` has up to 16 of the items from which the
examples were made, listed in `raw/items.json`. The ground truth is in files
`truth*`, in the domain's own format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Tuple
from urllib.parse import quote

import numpy as np

from engine.stage import StageError
from stages.tflite.scaled import Scaled
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ITEMS = 16  # raw items of a part
NOTHING: Mapping[str, Mapping[str, float]] = {}
_ABOUT, _RAW, _ITEMS = "tensors.json", "raw", "items.json"


@dataclass(frozen=True)
class Item:
    """A raw input in `raw/`, and the first and last of the examples made from it."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True)
class Part:
    """The folder of a part, and its tensors by name, each (examples, ...), mapped into memory."""

    folder: Path
    examples: int
    tensors: Mapping[str, NDArray[Any]]  # as they are stored
    scaling: Mapping[str, Tuple[float, float]] = field(default_factory=dict)  # mean and deviation

    def values(self, name: str) -> NDArray[Any] | Scaled:
        """Return a tensor's values, computed as they are read."""
        found = self.tensors[name]
        return Scaled(found, *self.scaling[name]) if name in self.scaling else found

    def example(self, at: int) -> dict[str, NDArray[Any]]:
        """Return one example as a batch: each tensor (1, ...)."""
        return {name: np.asarray(self.values(name)[at])[None] for name in self.tensors}

    def for_inputs(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the examples' values under the names of a model's inputs.

        A single tensor fits a single input with any name. StageError: a name or a shape differs.
        """
        if len(self.tensors) == len(inputs) == 1:
            found = {next(iter(inputs)): self.values(next(iter(self.tensors)))}
        else:
            found = {name: self.values(name) for name in inputs if name in self.tensors}
        if found.keys() != inputs.keys():
            raise StageError(
                f"the model needs the inputs {', '.join(inputs)}, but the data set has "
                f"{', '.join(self.tensors)}"
            )
        for name, tensor in inputs.items():
            if found[name].shape[1:] != tensor.shape[1:]:
                raise StageError(
                    f"the model needs {tensor}, but an example of the data set is "
                    f"{list(found[name].shape[1:])}"
                )
        return found


def write(folder: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write the folder from tensors in memory, each (examples, ...)."""
    counts = {len(array) for array in tensors.values()}
    if len(counts) != 1:
        raise ValueError(
            f"the tensors of a part have different numbers of examples: {sorted(counts)}"
        )
    described = {name: (array.shape[1:], array.dtype.name) for name, array in tensors.items()}
    for name, target in create(folder, counts.pop(), described).items():
        target[:] = tensors[name]


def create(
    folder: Path,
    examples: int,
    tensors: Mapping[str, tuple[tuple[int, ...], str]],
    scaling: Mapping[str, Mapping[str, float]] = NOTHING,
) -> dict[str, NDArray[Any]]:
    """Create the folder, and return its memory-mapped arrays, to be filled example by example.

    tensors: name -> shape of one example, and type
    scaling: name -> mean and deviation, if values are not the stored numbers
    """
    folder.mkdir(parents=True)
    about = {
        "examples": examples,
        "tensors": {
            name: {"shape": list(shape), "type": type_, **scaling.get(name, {})}
            for name, (shape, type_) in tensors.items()
        },
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return {
        name: _mapped(_file(folder, name), (examples, *shape), type_)
        for name, (shape, type_) in tensors.items()
    }


def read(folder: Path) -> Part:
    """Return the part; StageError: it is not one, has no examples, or contradicts its description."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        examples, described = int(about["examples"]), dict(about["tensors"])
        tensors = {name: _load(folder, name) for name in described}
        expected = {
            name: ((examples, *one["shape"]), one["type"]) for name, one in described.items()
        }
        scaling = {
            name: (float(one["mean"]), float(one["deviation"]))
            for name, one in described.items()
            if "mean" in one
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(
            f"{folder.name} is not a part of a data set: it needs {_ABOUT} and the arrays "
            f"that this lists ({error})"
        ) from None
    for name, array in tensors.items():
        if (array.shape, array.dtype.name) != expected[name]:
            shape, type_ = expected[name]
            raise StageError(
                f"{_file(folder, name).name} contains {array.dtype.name} {list(array.shape)}, but "
                f"{_ABOUT} says {type_} {list(shape)}"
            )
    if not examples or not tensors:
        raise StageError(f"{folder.name} has no examples")
    return Part(folder, examples, tensors, scaling)


def raw_folder(folder: Path) -> Path:
    """Create the folder of a part's raw items, and return it."""
    raw = folder / _RAW
    raw.mkdir()
    return raw


def write_items(folder: Path, spans: Mapping[str, Tuple[int, int]]) -> None:
    """Write the list of items in raw/: name of the file or folder -> first and last example."""
    rows = [{"file": name, "examples": list(span)} for name, span in spans.items()]
    text = json.dumps(rows, indent=1) + "\n"
    (folder / _RAW / _ITEMS).write_text(text, encoding="utf-8")


def items(folder: Path) -> list[Item]:
    """Return the raw items of a part in order; empty if it has none."""
    listed = folder / _RAW / _ITEMS
    if not listed.is_file():
        return []
    rows = json.loads(listed.read_text(encoding="utf-8"))
    return [Item(folder / _RAW / row["file"], *row["examples"]) for row in rows]


def _file(folder: Path, name: str) -> Path:
    """Return the path of a tensor; TensorFlow's names may contain a slash."""
    return folder / f"{quote(name, safe='')}.npy"


def _mapped(path: Path, shape: tuple[int, ...], type_: str) -> NDArray[Any]:
    """Return a new array on disk, mapped unless it is empty."""
    if 0 not in shape:
        return np.lib.format.open_memmap(path, "w+", np.dtype(type_), shape)
    np.save(path, np.zeros(shape, type_))
    return np.zeros(shape, type_)


def _load(folder: Path, name: str) -> NDArray[Any]:
    path = _file(folder, name)
    with path.open("rb") as file:
        np.lib.format.read_magic(file)  # a ValueError for any other file, including an empty one
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
