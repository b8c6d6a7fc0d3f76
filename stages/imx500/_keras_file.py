"""Reads the architecture and the weights of a .keras or .h5 file, without Keras."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.imx500 import _layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_PARTS = ("vars", "seed_generator")  # a layer's own weights, and the state of Dropout

Parts = tuple[dict[str, Any], "list[NDArray[Any]]"]
_DAMAGE = (OSError, KeyError, ValueError, TypeError, RecursionError, zipfile.BadZipFile, zlib.error)
_MOST_BYTES = {"config.json": 100 << 20, "model.weights.h5": 2 << 30}  # unpacked


class NotAModel(StageError):
    """The file is damaged, or has no whole model."""


def read_zip(path: Path) -> Parts:
    """Return architecture and weights of a .keras file.

    StageError: it is damaged (NotAModel), or has a layer that cannot be rebuilt.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            architecture = json.loads(_unpacked(archive, "config.json"))
            _layers.network_of(architecture)  # refuses layers whose weights would not be found
            weights = io.BytesIO(_unpacked(archive, "model.weights.h5"))
        with h5py.File(weights, "r") as file:
            return architecture, list(_of_zip(file, architecture, ""))
    except _DAMAGE as error:
        raise NotAModel(f"{path.name} is not a whole .keras file: {error}") from error


def read_h5(path: Path) -> Parts:
    """Return architecture and weights of an .h5 file.

    StageError: it has no architecture or is damaged (NotAModel), or has a layer that cannot be rebuilt.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                raise NotAModel(
                    f"{path.name} contains weights without their network: save the whole model with "
                    "model.save()"
                )
            architecture = json.loads(file.attrs["model_config"])
            network = _layers.network_of(architecture)
            return architecture, list(_of_h5(file["model_weights"], network))
    except _DAMAGE as error:
        raise NotAModel(f"{path.name} is a damaged HDF5 file: {error}") from error


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; ValueError: it is larger than that of any network for the camera."""
    size = archive.getinfo(name).file_size  # zipfile unpacks no more than this
    if size > _MOST_BYTES[name]:
        raise ValueError(f"its {name} has {size:,} bytes, more than any network for the camera")
    return archive.read(name)


def _of_zip(file: Any, architecture: dict[str, Any], under: str) -> Iterator[NDArray[Any]]:
    """Yield the weights in the order of the layers.

    Keras names the group of a layer for its class, or in newer versions for the layer itself
    (keras/src/saving/saving_lib.py).
    """
    counts: Counter[str] = Counter()
    for layer in architecture["config"]["layers"]:
        kind, own = layer["class_name"], layer["config"]["name"]
        called = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", kind).lower()
        numbered = f"{called}_{counts[called]}" if counts[called] else called
        counts[called] += 1
        group = next((g for n in (numbered, own) if (g := f"{under}layers/{n}") in file), None)
        if group is None:
            continue
        if kind in _layers.NESTED:
            yield from _of_zip(file, layer, f"{group}/")
        else:
            yield from _of_layer(file[group], kind, own)


def _of_layer(group: Any, kind: str, name: str) -> Iterator[NDArray[Any]]:
    """Yield the weights of one layer; StageError: parts of the layer have weights of their own, whose
    order the file does not tell, as those of MultiHeadAttention.
    """
    parts = [part for part in group if part not in _NO_PARTS and _has_weights(group[part])]
    if parts:
        raise StageError(
            f"the layer '{name}' ({kind}) contains other layers with weights ({', '.join(parts)}), which "
            "cannot be rebuilt for the camera: use layers such as Conv2D and Dense in its place"
        )
    own = group.get("vars", {})
    yield from (np.asarray(own[at]) for at in sorted(own, key=int))


def _has_weights(group: Any) -> bool:
    """Return whether a group, or one inside it, has arrays."""
    import h5py

    return any(isinstance(each, h5py.Dataset) or _has_weights(each) for each in group.values())


def _of_h5(groups: Any, network: _layers.Network, nested: Any = None) -> Iterator[NDArray[Any]]:
    """Yield the weights in the order of the layers; those of a nested network are in one group, and
    each is named for its layer.
    """
    for layer in network.layers:
        if nested is None:
            if layer.name not in groups:
                continue
            found = _named(groups[layer.name])
            if layer.network is not None:
                yield from _of_h5(groups, layer.network, found)
                continue
        elif layer.network is not None:
            yield from _of_h5(groups, layer.network, nested)
            continue
        else:
            found = [one for one in nested if f"/{layer.name}/" in f"/{one[0]}"]
        yield from (values for _, values in found)


def _named(group: Any) -> list[tuple[str, NDArray[Any]]]:
    names = [
        name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]
    ]
    return [(name, np.asarray(group[name])) for name in names]
