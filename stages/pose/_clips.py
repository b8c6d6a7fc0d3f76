"""A clip's keypoints, and the folder in which stages exchange clips: recordings.json and keypoints.npy."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.stage import StageError
from stages.tasks.keypoints.skeletons import SKELETONS


@dataclass(frozen=True)
class Clip:
    """One recording of one person: (frames, joints, 3) x, y in pixels with y down, and a score of 0 to 1."""

    name: str
    skeleton: str
    keypoints: np.ndarray
    label: "str | None" = None
    person: "str | None" = None
    split: "str | None" = None  # train or test, if the recordings have their own split
    fps: "float | None" = None
    times_s: "tuple[float, ...] | None" = None  # of each frame, if the recording has timestamps
    weight: float = 1.0  # weight in training, relative to other clips


def write(folder: Path, clips: "list[Clip]") -> None:
    """Write the clips in order; raise StageError if they have different skeletons."""
    skeletons = sorted({clip.skeleton for clip in clips})
    if len(skeletons) > 1:
        one, other = (
            next(clip.name for clip in clips if clip.skeleton == name) for name in skeletons[:2]
        )
        raise StageError(
            f"the recordings mix two skeletons: {one} has {skeletons[0]}, {other} has "
            f"{skeletons[1]}"
        )
    entries, first = [], 0
    for clip in clips:
        entries.append(_entry(clip, first))
        first += len(clip.keypoints)
    folder.mkdir(parents=True)
    np.save(
        folder / "keypoints.npy",
        np.concatenate([clip.keypoints for clip in clips]).astype(np.float32),
    )
    content = {
        "skeleton": skeletons[0],
        "joints": list(SKELETONS[skeletons[0]]),
        "labels": sorted({clip.label for clip in clips if clip.label is not None}),
        "clips": entries,
    }
    (folder / "recordings.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _entry(clip: Clip, first: int) -> "dict[str, object]":
    return {
        "clip": clip.name,
        "label": clip.label,
        "person": clip.person,
        "split": clip.split,
        "first": first,
        "frames": len(clip.keypoints),
        "fps": clip.fps,
        "weight": clip.weight,
    }
