"""Opens a packed model: checks every file against the manifest, and runs its classifier on windows
of features.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.pose._movenet import load


class Package:
    """A packed activity classifier whose files are those that its manifest names."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        _check(folder)
        self.constants: dict[str, Any] = json.loads(
            (folder / "preprocessing.json").read_text(encoding="utf-8")
        )
        self.labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
        pose_model = folder / "pose_model.tflite"
        self.pose_model = pose_model if pose_model.is_file() else None
        self._interpreter = load(folder / "model.tflite", threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        if int(self._output["shape"][-1]) != len(self.labels):
            raise StageError(
                f"the model has {int(self._output['shape'][-1])} classes, labels.txt {len(self.labels)}"
            )

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Return (windows, classes) of (windows, window, channels) float features."""
        return np.stack([self._classify(window) for window in windows])

    def _classify(self, window: np.ndarray) -> np.ndarray:
        shape = tuple(self._input["shape"])
        if window.size != np.prod(shape):
            raise StageError(f"the model takes {shape}, the preprocessing gives {window.shape}")
        self._interpreter.set_tensor(
            self._input["index"], _quantised(window.reshape(shape), self._input)
        )
        self._interpreter.invoke()
        return _dequantised(self._interpreter.get_tensor(self._output["index"])[0], self._output)


def _check(folder: Path) -> None:
    """StageError where a file is missing, changed, or not named by the manifest."""
    try:
        files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise StageError(
            f"{folder.name} is no packed model: it has no manifest.json that names its files"
        ) from None
    for name in sorted({"model.tflite", "labels.txt", "preprocessing.json"} - set(files)):
        raise StageError(f"the package's manifest does not name {name}")
    for name, entry in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise StageError(f"the package lacks {name}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != (
            entry["sha256"] if isinstance(entry, dict) else entry
        ):
            raise StageError(
                f"{name} of the package is not the file that its manifest names: pack the model again"
            )
    if (folder / "pose_model.tflite").exists() and "pose_model.tflite" not in files:
        raise StageError("the package's manifest does not name pose_model.tflite")


def _quantised(values: np.ndarray, tensor: "dict[str, Any]") -> np.ndarray:
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(tensor["dtype"])


def _dequantised(values: np.ndarray, tensor: "dict[str, Any]") -> np.ndarray:
    if tensor["dtype"] == np.float32:
        return values
    scale, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * scale
