"""Turns recordings of people into keypoints; does not train or cut windows."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.pose._clips import Clip
    from stages.pose._read import Faults
    from stages.pose._recordings import Source
    from stages.tasks.keypoints.movenet import MoveNet

NAMED = 8  # maximum number of files named in one note


class KeypointsMetrics(TypedDict):
    """mean_score: over all joints and frames, 0 to 1; skipped: unreadable files and rows."""

    mean_score: float
    frames: float
    clips: float
    skipped: float


def keypoints(
    recordings: In,
    keypoints: Out,
    model: In | None = None,
    *,
    max_bad_fraction: Annotated[float, Range(ge=0, le=1)] = 0.1,
    allow_one_activity: bool = False,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> KeypointsMetrics:
    """Read a folder of recordings (docs/data.md) and write the keypoints of every frame.

    recordings: activity folders with videos, pictures or keypoint CSVs; or one file, without an
                activity
    model:      MoveNet single pose (.tflite), uint8 (1, 192, 192, 3) -> float32 (1, 1, 17, 3); not
                needed for CSVs
    keypoints:  recordings.json, and keypoints.npy float32 (rows, joints, 3): x, y in pixels (y
                down), score 0 to 1

    max_bad_fraction:   share of the files that may be unreadable
    allow_one_activity: true: accept recordings of a single activity
    threads:            CPU threads of the runtime

    StageError: nothing to read, a single activity, an activity without a readable clip, more than
    max_bad_fraction of the files unreadable, two skeletons, or pictures without a model. Source:
    MoveNet and its crop, tensorflow.org/hub/tutorials/movenet.
    """
    import numpy as np

    from stages.pose import _clips
    from stages.pose._read import Faults

    faults = Faults()
    bad = faults.unreadable
    clips, sources, labels = _find(recordings, bad)
    _check(
        [*clips, *sources], labels, allow_one_activity
    )  # by names first, because MoveNet is slow
    total = len(clips) + len(bad) + sum(len(source.paths) for source in sources)
    clips += _read_all(sources, _movenet(sources, model, threads), faults)
    _note_names(faults.damaged, "damaged videos are used without their lost frames")
    if len(bad) > max_bad_fraction * total:
        allowed = f"more than max_bad_fraction = {max_bad_fraction:g}"
        raise StageError(
            f"{len(bad)} of {total} files or rows cannot be read, {allowed}: {_some(bad)}"
        )
    _note_names(bad, f"skipped {len(bad)} of {total} files or rows that cannot be read")
    _check(clips, labels, allow_one_activity)
    _note_shared_people(clips)
    _clips.write(keypoints, clips)
    rows = np.concatenate([clip.keypoints for clip in clips])
    return KeypointsMetrics(
        mean_score=float(rows[:, :, 2].mean()),
        frames=float(len(rows)),
        clips=float(len(clips)),
        skipped=float(len(bad)),
    )


def _find(recordings: In, bad: list[str]) -> "tuple[list[Clip], list[Source], set[str]]":
    """Return the clips read already, the sources yet to be read, and the activities that need a clip."""
    from stages.pose import _jhmdb, _labelled_tables, _recordings

    if _jhmdb.is_jhmdb(recordings):
        return _jhmdb.read(recordings), [], set()
    if _labelled_tables.is_labelled_tables(recordings):
        clips, sources = _labelled_tables.read(recordings, bad)
        return clips, sources, set()
    found = _recordings.find(recordings)
    count = len(found.ignored)
    others = (
        "1 entry that is not a recording"
        if count == 1
        else f"{count} entries that are not recordings"
    )
    _note_names(found.ignored, f"ignored {others}")
    return [], found.sources, found.labels


def _movenet(sources: "list[Source]", model: In | None, threads: int) -> "MoveNet | None":
    with_pictures = [source.name for source in sources if source.kind != "table"]
    if not with_pictures:
        return None
    if model is None:
        raise StageError(
            f"{with_pictures[0]} needs a pose model: set assets.pose_model=movenet_lightning"
        )
    from stages.tasks.keypoints.movenet import MoveNet
    from stages.tflite import roles
    from stages.tflite.model import open_model

    return MoveNet(open_model(roles.runnable(roles.files(model))[0], threads=threads))


def _read_all(sources: "list[Source]", movenet: "MoveNet | None", faults: "Faults") -> "list[Clip]":
    from stages.pose import _read

    clips = []
    for index, source in enumerate(sources):
        progress(index, len(sources), source.name)
        clip = _read.read(source, movenet, faults)
        if clip is not None:
            clips.append(clip)
    progress(len(sources), len(sources))
    return clips


def _check(clips: "Sequence[Clip | Source]", labels: set[str], allow_one_activity: bool) -> None:
    """Refuse clips, or sources of clips, that cannot train a classifier.

    A single clip without an activity is allowed, because `predict` can use it.
    """
    if not clips:
        raise StageError("the recordings contain no readable clip")
    seen = {clip.label for clip in clips if clip.label is not None}
    if empty := sorted(labels - seen):
        raise StageError(f"no readable clip for {', '.join(empty)}: add some, or remove the folder")
    if len(seen) == 1 and not allow_one_activity:
        raise StageError(
            f"there is only one activity, {seen.pop()}: a classifier needs two or more"
        )
    trained = {clip.label for clip in clips if clip.split == "train"}
    if trained and (unknown := sorted(seen - trained)):
        raise StageError(f"{', '.join(unknown)} is in the test or validation part, not in train")


def _note_shared_people(clips: "list[Clip]") -> None:
    tested = {clip.person for clip in clips if clip.split == "test"} - {None}
    others = {clip.person for clip in clips if clip.split not in ("test", None)}
    if both := sorted(tested & others):
        note(
            f"{', '.join(both)} is in both train and test: the accuracy says little about "
            "new people"
        )


def _note_names(names: list[str], what: str) -> None:
    if names:
        note(f"{what}: {_some(names)}")


def _some(names: list[str]) -> str:
    return "; ".join(names[:NAMED]) + (
        f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    )
