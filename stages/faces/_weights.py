"""Reads the weights of networks that are published for TensorFlow.js."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]

MANIFEST, DATA = "manifest.json", "weights.bin"


def read_all(folder: Path) -> "Weights":
    """Return the weights in a folder or, if it has folders, in all of these; errors as those of `read`."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    found: Weights = {}
    for one in folders or [folder]:
        found |= read(one)
    return found


def read(folder: Path) -> "Weights":
    """Return the weights by name; those of 8 bits are dequantised: q * scale + min.

    folder: manifest.json, a model.json or a list of groups of weights, and weights.bin. LookupError,
    OSError, TypeError or ValueError: other files. Source: TensorFlow.js, the format of converted models.
    """
    about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    groups = about["weightsManifest"] if isinstance(about, dict) else about
    raw, at, found = (folder / DATA).read_bytes(), 0, {}
    for entry in groups[0]["weights"]:
        count, how = int(np.prod(entry["shape"])), entry.get("quantization", {})
        stored = np.frombuffer(raw, how.get("dtype") or entry.get("dtype", "float32"), count, at)
        at += stored.nbytes
        found[entry["name"]] = _values(stored, how).reshape(entry["shape"])
    return found


def _values(stored: "NDArray[Any]", how: dict[str, Any]) -> "NDArray[np.float32]":
    values = stored * how["scale"] + how["min"] if "scale" in how else stored
    return values.astype(np.float32)  # type: ignore[no-any-return]
