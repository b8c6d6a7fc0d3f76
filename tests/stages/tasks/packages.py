"""Packages of version 2, made by hand, with a network of one operation and constant answers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.tasks.keypoints import encoding
from stages.tasks.keypoints.skeletons import COCO17

LABELS = ["first", "second"]


def always(shape: tuple[int, ...], answer: list[float]) -> bytes:
    """Return a .tflite model with an input of this shape that returns these values, (1, n)."""
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def call(x):  # type: ignore[no-untyped-def]
        return tf.reshape(0.0 * tf.reduce_sum(x), (1, 1)) + tf.constant([answer])

    module = tf.Module()
    module.call = call
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], module
    )
    return bytes(converter.convert())


def constants(window: int, span: int | None = None) -> dict[str, Any]:
    """Return the constants of an activity classifier with windows of this many frames."""
    about = {"joints": list(COCO17), "skeleton": "coco17", "window": window, "stride": 4}
    channels = raw_shape(window)[1]
    standard = {"mean": [0.0] * channels, "deviation": [1.0] * channels}
    return {**about, "span": span or window, **standard}


def raw_shape(window: int) -> tuple[int, int]:
    frames = np.zeros((1, window, 17, 3), np.float32)
    rows, channels = encoding.raw_features(frames, list(COCO17)).shape[1:]
    return int(rows), int(channels)


def write(
    folder: Path, task: str, about: dict[str, Any], labels: list[str] = LABELS, **models: bytes
) -> Path:
    """Write a package of these models, by role."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "constants.json").write_text(json.dumps(about))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    entries = {}
    for role, model in models.items():
        path = folder / "models" / role / "float.tflite"
        path.parent.mkdir(parents=True)
        path.write_bytes(model)
        entries[role] = {"float": f"models/{role}/float.tflite"}
    seal(folder, {"v": 2, "task": task, "models": entries})
    return folder


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest with the digests of the existing files."""
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest()
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": files}))


def activity(folder: Path, window: int, span: int | None = None) -> Path:
    """Write a package that answers `second` to everything, with probability 0.75."""
    rows, channels = raw_shape(window)
    model = always((1, rows, 1, channels), [0.25, 0.75])
    return write(folder, "activity", constants(window, span), model=model)
