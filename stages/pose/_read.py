"""Reads one source - a video, pictures or a keypoint CSV - into a clip, and lists unreadable
files.
"""

from dataclasses import dataclass, field

import numpy as np

from stages.media import pictures
from stages.media.unreadable import Unreadable
from stages.media.video import open_video
from stages.pose._clips import Clip
from stages.pose._recordings import Source
from stages.tasks.keypoints import table
from stages.tasks.keypoints.movenet import PICTURE_SIDE, MoveNet


@dataclass
class Faults:
    """The unreadable files, and the videos with lost frames, each with its reason."""

    unreadable: "list[str]" = field(default_factory=list)
    damaged: "list[str]" = field(default_factory=list)
    _foreign: "dict[str, str]" = field(
        default_factory=dict
    )  # foreign columns -> first table with them

    def add_foreign(self, name: str, error: table.ForeignColumns) -> None:
        """Add a table; only the first of several with the same columns is explained."""
        first = self._foreign.setdefault(str(error), name)
        reason = str(error) if first == name else f"its columns are those of {first}"
        self.unreadable.append(f"{name} ({reason})")


def read(source: Source, movenet: "MoveNet | None", faults: Faults) -> "Clip | None":
    """Return the clip, or None if nothing of it can be read; add errors to `faults`."""
    try:
        if source.kind == "table":
            return _read_table(source)
        if source.kind == "video":
            return _read_video(source, movenet, faults)
        return _read_pictures(source, movenet, faults)
    except table.ForeignColumns as error:
        faults.add_foreign(source.name, error)
        return None
    except Unreadable as error:
        faults.unreadable.append(f"{source.name} ({error})")
        return None


def _read_table(source: Source) -> Clip:
    skeleton, keypoints = table.read_clip(source.paths[0])
    return _clip(source, keypoints, skeleton)


def _read_video(source: Source, movenet: MoveNet, faults: Faults) -> Clip:
    movenet.forget()
    frames, times_s = [], []
    with open_video(source.paths[0]) as video:
        for picture, time_s in video:
            frames.append(movenet.follow(picture))
            times_s.append(time_s)
        if found := video.faults():
            faults.damaged.append(f"{source.name} ({found})")
        return _clip(source, np.stack(frames), fps=video.frame_rate, times_s=tuple(times_s))


def _read_pictures(source: Source, movenet: MoveNet, faults: Faults) -> "Clip | None":
    """Return a clip: a single picture is analysed several times, a folder is tracked like a video."""
    look = movenet.of_picture if len(source.paths) == 1 else movenet.follow
    movenet.forget()
    frames = []
    for path, picture in pictures.read_many(source.paths, PICTURE_SIDE):
        if isinstance(picture, Unreadable):
            faults.unreadable.append(f"{_name(source, path.name)} ({picture})")
            continue
        keypoints = look(picture.pixels)
        keypoints[:, :2] *= picture.reduction
        frames.append(keypoints)
    return _clip(source, np.stack(frames)) if frames else None


def _name(source: Source, file_name: str) -> str:
    is_the_file = file_name == source.name.rsplit("/", 1)[-1]
    return source.name if is_the_file else f"{source.name}/{file_name}"


def _clip(
    source: Source,
    keypoints: np.ndarray,
    skeleton: str = "coco17",
    fps: "float | None" = None,
    times_s: "tuple[float, ...] | None" = None,
) -> Clip:
    return Clip(
        source.name,
        skeleton,
        keypoints,
        source.label,
        source.person,
        source.split,
        fps,
        times_s=times_s,
    )
