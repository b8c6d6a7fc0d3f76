"""Reads one source - a video, pictures or a keypoint CSV - into a clip, and names what cannot be
read.
"""

import numpy as np

from stages.pose import _frames, _keypoint_table
from stages.pose._clips import Clip
from stages.pose._frames import Unreadable
from stages.pose._movenet import MoveNet
from stages.pose._recordings import Source


def read(source: Source, movenet: "MoveNet | None", bad: "list[str]") -> "Clip | None":
    """Return the clip; what cannot be read of it is added to `bad`, and None returned where nothing
    can.
    """
    try:
        if source.kind == "table":
            return _read_table(source)
        if source.kind == "video":
            return _read_video(source, movenet)
        return _read_pictures(source, movenet, bad)
    except Unreadable as error:
        bad.append(f"{source.name} ({error})")
        return None


def _read_table(source: Source) -> Clip:
    skeleton, keypoints = _keypoint_table.read_clip(source.paths[0])
    return _clip(source, keypoints, skeleton)


def _read_video(source: Source, movenet: MoveNet) -> Clip:
    movenet.forget()
    frames = [movenet.follow(frame) for frame in _frames.read_video(source.paths[0])]
    return _clip(source, np.stack(frames), fps=_frames.frame_rate(source.paths[0]))


def _read_pictures(source: Source, movenet: MoveNet, bad: "list[str]") -> "Clip | None":
    """One picture is looked at several times; a folder of them is followed like a video."""
    look = movenet.of_picture if len(source.paths) == 1 else movenet.follow
    movenet.forget()
    frames = []
    for path in source.paths:
        try:
            frames.append(look(_frames.read_picture(path)))
        except Unreadable as error:
            name = (
                source.name
                if path.name == source.name.rsplit("/", 1)[-1]
                else f"{source.name}/{path.name}"
            )
            bad.append(f"{name} ({error})")
    return _clip(source, np.stack(frames)) if frames else None


def _clip(
    source: Source, keypoints: np.ndarray, skeleton: str = "coco17", fps: "float | None" = None
) -> Clip:
    return Clip(source.name, skeleton, keypoints, source.label, source.person, source.split, fps)
