"""Finds the trained network of a role, and opens it in Keras 2.15.

A Keras model is rebuilt from its architecture and weights. A published `.tflite` is rebuilt from its
constants. The code in a model's files is never executed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.imx500 import _keras_file, _layers, _rebuild

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARCHITECTURE = "architecture.json"
_SUFFIXES = (".keras", ".h5", ".tflite")
_PUBLISHED = ("float.tflite", "int8.tflite")  # of a role's folder, the more exact one first


@dataclass(frozen=True)
class Opened:
    """A network in Keras 2.15, which takes pixels 0..255, and the names of its outputs in order.

    is_published: it was rebuilt from a .tflite file
    undecoded: why no task can read its outputs, if it lacks the last operators of that file
    """

    model: Any
    outputs: tuple[str, ...]
    is_published: bool = False
    undecoded: str | None = None


def find(role: str, only_role: str, model: Path | None, more: Sequence[Path]) -> Path | None:
    """Return the file or folder of the role's network: a Keras model if there is one.

    only_role: the role of `model` if it is one network and not a folder of roles
    more: folders with ROLE/float.tflite or ROLE/int8.tflite
    """
    if model is not None:
        if _is_model(model):
            if role == only_role:
                return model
        elif found := _in_folder(model, role):
            return found
    for folder in more:
        for name in _PUBLISHED:
            if (path := folder / role / name).is_file():
                return path
        if (path := folder / f"{role}.tflite").is_file():
            return path
    return None


def single(path: Path) -> Path | None:
    """Return the network of one published model: the file itself, or that in its folder."""
    if path.is_file():
        return path
    return next((p for n in _PUBLISHED if (p := path / n).is_file()), None)


def opened(path: Path, picture: dict[str, float] | None = None) -> Opened:
    """Return the network.

    picture: mean and deviation of a pixel, which a published network expects to be subtracted
    StageError: it cannot be rebuilt in Keras 2.15.
    """
    if _starts_with(path, b"TFL3", 4):
        return _from_tflite(path, picture)
    if path.is_dir():
        return _from_parts(
            json.loads((path / ARCHITECTURE).read_text(encoding="utf-8")),
            [np.load(one, allow_pickle=False) for one in sorted(path.glob("weights_*.npy"))],
            picture,
        )
    if zipfile.is_zipfile(path):
        return _from_parts(*_keras_file.read_zip(path), picture)
    return _from_parts(*_keras_file.read_h5(path), picture)


def _from_parts(
    architecture: dict[str, Any],
    weights: list[NDArray[Any]],
    picture: dict[str, float] | None,
) -> Opened:
    model, outputs = _rebuild.rebuilt(_layers.network_of(architecture), weights, picture)
    return Opened(model, tuple(outputs))


def _from_tflite(path: Path, picture: dict[str, float] | None) -> Opened:
    from stages.imx500 import _from_tflite as published

    found = published.rebuilt(path, picture)
    return Opened(
        found.model,
        tuple(found.outputs),
        is_published=True,
        undecoded=published.undecoded(found),
    )


def _in_folder(folder: Path, role: str) -> Path | None:
    """Return the model of a role in a folder of roles: a folder, or a file named for the role."""
    named = [folder / role, *(folder / f"{role}{suffix}" for suffix in _SUFFIXES)]
    for path in named:
        if path.exists() and _is_model(path):
            return path
    return next((p for n in _PUBLISHED if (p := folder / role / n).is_file()), None)


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return (path / ARCHITECTURE).is_file()
    return (
        _starts_with(path, b"TFL3", 4)
        or _starts_with(path, b"\x89HDF", 0)
        or _starts_with(path, b"PK\x03\x04", 0)
    )


def _starts_with(path: Path, mark: bytes, at: int) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(at + len(mark))[at:] == mark
