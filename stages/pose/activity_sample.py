"""Generates a sample data set of stick figures' keypoints, so that a first run needs no camera."""

from typing import Annotated, TypedDict

from engine.stage import Out, StageError
from engine.stage.bounds import Range

FPS = 30.0


class ActivitySampleMetrics(TypedDict):
    """The number of generated clips and frames."""

    clips: float
    frames: float


def activity_sample(
    recordings: Out,
    *,
    seed: Annotated[int, Range(ge=0)] = 7,
    people: Annotated[int, Range(ge=1)] = 10,
    clips: Annotated[int, Range(ge=1)] = 3,
    frames: Annotated[int, Range(ge=1)] = 90,
    noise: Annotated[float, Range(ge=0)] = 0.012,
    missing: Annotated[float, Range(ge=0, le=1)] = 0.04,
) -> ActivitySampleMetrics:
    """Generate several clips of stick figures per person and activity, for six activities.

    The same seed gives the same bytes.
    recordings: <activity>/personNN__clipN.csv, COCO-17 joints in pixels of a 640 x 480 camera at 30
                frames per second
    noise:      standard deviation of a joint, as a fraction of the figure's height
    missing:    share of missing joints; twice as many are uncertain
    seed:   of all random numbers
    people: how many people do each activity
    clips:  clips of each person and activity
    frames: frames of each clip

    StageError: fewer than two people, no clip or no frame. Source: synthetic; only for trying out the
    pipeline.
    """
    import numpy as np

    from stages.pose import _stick_figure as figure
    from stages.tasks.keypoints.table import write_clip

    if people < 2 or clips < 1 or frames < 1:
        raise StageError("a sample needs people >= 2, clips >= 1 and frames >= 1")
    for number in range(people):
        who = figure.person(np.random.default_rng([seed, number]))
        for kind, activity in enumerate(figure.ACTIVITIES):
            for clip in range(clips):
                random = np.random.default_rng([seed, number, kind, clip])
                joints = figure.act(activity, who, frames, FPS, random)
                path = recordings / activity / f"person{number + 1:02}__clip{clip + 1}.csv"
                write_clip(path, figure.observe(joints, noise, missing, random), "coco17")
    made = people * clips * len(figure.ACTIVITIES)
    return ActivitySampleMetrics(clips=float(made), frames=float(made * frames))
