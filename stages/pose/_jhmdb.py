"""Reads the JHMDB 2-D joints that DD-Net publishes as pickles, with an unpickler that allows only
numpy arrays.

Source: github.com/fandulu/DD-Net, data/JHMDB (Yang et al. 2019); the joints are JHMDB's pos_world
(Jhuang et al. 2013).
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.pose._clips import Clip
from stages.tasks.keypoints.skeletons import JHMDB15

FILES = {"train": "GT_train_1.pkl", "test": "GT_test_1.pkl"}
UNIT_PIXELS = (
    240  # pos_world is in the frame's height at the person's scale; JHMDB's frames are 320 x 240
)

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


def is_jhmdb(folder: Path) -> bool:
    """Return whether the folder has both pickles."""
    return all((folder / name).is_file() for name in FILES.values())


def read(folder: Path) -> "list[Clip]":
    """Return the clips with the data set's split; every joint is annotated by hand, so all scores are 1."""
    clips = []
    for split, name in FILES.items():
        content = _load(folder / name)
        for index, (pose, label) in enumerate(zip(content["pose"], content["label"], strict=True)):
            clips.append(
                Clip(
                    f"{split}/{index:04}",
                    "jhmdb15",
                    _keypoints(pose, name),
                    str(label),
                    None,
                    split,
                )
            )
    return clips


def _keypoints(pose: Any, name: str) -> np.ndarray:
    points = np.asarray(pose, np.float32)
    if points.ndim != 3 or points.shape[1:] != (len(JHMDB15), 2) or not np.isfinite(points).all():
        raise StageError(
            f"{name} contains a pose of shape {points.shape}, not (frames, {len(JHMDB15)}, "
            "2) finite numbers"
        )
    score = np.ones((*points.shape[:2], 1), np.float32)
    return np.concatenate([points * UNIT_PIXELS, score], axis=2)  # (frames, 15, 3)


def _load(path: Path) -> "dict[str, Any]":
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="latin1").load()
    except Exception as error:  # a damaged pickle may raise almost any exception
        raise StageError(
            f"{path.name} is not the JHMDB file published by DD-Net: {error}"
        ) from None
    if not isinstance(content, dict) or not {"pose", "label"} <= set(content):
        raise StageError(
            f"{path.name} is not the JHMDB file published by DD-Net: it contains no pose and label"
        )
    return content


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it contains {module}.{name}, but only numpy arrays are allowed"
            )
        return super().find_class(module, name)
