"""Turns keypoints into labelled windows, split by person or clip and never by frame."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "val", "test")
MIN_PEOPLE = 3  # with fewer people the split is by clip


class DatasetMetrics(TypedDict):
    """The number of windows in each split, and the number of activities."""

    train_windows: float
    val_windows: float
    test_windows: float
    classes: float


def dataset(
    keypoints: In,
    train: Out,
    test: Out,
    recordings: In | None = None,
    *,
    window: Annotated[int, Range(ge=1)] = 32,
    stride: Annotated[int, Range(ge=1)] = 8,
    whole_clips: bool = False,
    test_share: Annotated[float, Range(gt=0, lt=1)] = 0.25,
    val_share: Annotated[float, Range(ge=0, lt=1)] = 0.2,
    seed: Annotated[int, Range(ge=0)] = 0,
) -> DatasetMetrics:
    """Cut clips into windows of equal length, and split them into a training and a test part.

    keypoints:  the output of stages.pose.keypoints
    recordings: the source of the keypoints; small test recordings are added as raw items
    train, test: parts with the tensor `features`, float32 (windows, rows, 1, channels);
                 truth.json (labels, and the person of each clip), truth_class.npy int64 (clips,),
                 truth_clip.npy int64 (windows,), truth_nothing.npy bool (windows,): whether a
                 window shows nobody;
                 labels.txt and constants.json. train also has keypoints.npy (windows, window,
                 joints, 3) for augmentation, weight.npy float32 (windows,), and, if clips are held
                 out for validation, the part validation/

    window:      frames per input of the classifier; 1: single pictures
    stride:      frames between the starts of two windows of a clip
    whole_clips: true: a clip is one window
    test_share:  share of the people, or clips, held out for the test
    val_share:   share of the training people, or clips, held out for validation
    seed:        of the split
    With whole_clips, a clip is one window of `window` frames, evenly spaced over the clip: for clips
    that show an activity once, from beginning to end. The device then uses spans of the training
    clips' median length.

    If the recordings have parts, these are used; otherwise whole people are held out, or whole clips if
    there are fewer than three people. If the recordings have no validation part, it is split from the
    training people in the same way; with val_share 0 there is none. StageError: an activity without a
    training or test clip; the same clip in two parts.
    """
    import json

    import numpy as np

    from stages.pose import _raw_items

    about = json.loads((keypoints / "recordings.json").read_text(encoding="utf-8"))
    rows = np.load(keypoints / "keypoints.npy")
    clips = [clip for clip in about["clips"] if clip["label"] is not None]
    labels = sorted({clip["label"] for clip in clips})
    if len(labels) < 2:
        raise StageError(
            f"a classifier needs at least two activities; the recordings have {labels or 'none'}"
        )
    parts = _split(clips, test_share, val_share, seed)
    _check(parts, labels, rows)
    _advise(clips, window)
    span = int(np.median([clip["frames"] for clip in parts["train"]])) if whole_clips else window
    shape = {"window": window, "stride": stride, "span": span}
    constants = {"joints": about["joints"], "skeleton": about["skeleton"], **shape}
    cut = {split: _windows(parts[split], rows, labels, constants, whole_clips) for split in SPLITS}
    constants |= _statistics(cut["train"][0], labels, about["joints"])
    folders = {"train": train, "val": train / "validation", "test": test}
    for split, (windows, y, clip) in cut.items():
        if len(y):
            _write(folders[split], windows, y, clip, parts[split], labels, constants, parts)
    _write_for_augmentation(train, cut["train"], parts["train"])
    longest = span if whole_clips else None
    clip_of = cut["test"][2]
    _raw_items.write(test, parts["test"], clip_of, rows, about["skeleton"], recordings, longest)
    return DatasetMetrics(
        train_windows=float(len(cut["train"][1])),
        val_windows=float(len(cut["val"][1])),
        test_windows=float(len(cut["test"][1])),
        classes=float(len(labels)),
    )


def _advise(clips: list[dict[str, Any]], window: int) -> None:
    """Suggest windows of one frame for a set of single pictures."""
    if window > 1 and all(clip["frames"] == 1 for clip in clips):
        note(
            f"all clips are single pictures, and each is repeated to fill a window of {window} frames: "
            "pass params.window=1 for a smaller model that looks at one picture"
        )


def _split(
    clips: list[dict[str, Any]], test_share: float, val_share: float, seed: int
) -> dict[str, list[dict[str, Any]]]:
    test = [clip for clip in clips if clip["split"] == "test"]
    rest = [clip for clip in clips if clip["split"] != "test"]
    if not test:
        rest, test = _set_aside(rest, test_share, seed)
    val = [clip for clip in rest if clip["split"] == "val"]
    train = [clip for clip in rest if clip["split"] != "val"]
    if val_share and not val:
        train, val = _set_aside(train, val_share, seed + 1)
    return {"train": train, "val": val, "test": test}


def _set_aside(
    clips: list[dict[str, Any]], share: float, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Remove about `share` of the clips: whole people, or whole clips of each activity."""
    import random

    chance = random.Random(seed)
    people = sorted({clip["person"] for clip in clips if clip["person"]})
    if (
        len(people) >= MIN_PEOPLE
    ):  # clips of unknown people are not held out, since they may show anyone
        chosen = set(chance.sample(people, max(1, round(share * len(people)))))
        away = [clip for clip in clips if clip["person"] in chosen]
    else:
        away = []
        for label in sorted({clip["label"] for clip in clips}):
            ours = [clip for clip in clips if clip["label"] == label]
            if len(ours) > 1:
                away += chance.sample(ours, max(1, round(share * len(ours))))
    names = {clip["clip"] for clip in away}
    kept = [clip for clip in clips if clip["clip"] not in names]
    if {clip["label"] for clip in kept} != {
        clip["label"] for clip in clips
    }:  # the only person with an activity stays
        return clips, []
    return kept, away


def _check(parts: dict[str, list[dict[str, Any]]], labels: list[str], rows: Any) -> None:
    absent = sorted(set(labels) - {clip["label"] for clip in parts["train"]})
    if absent:
        raise StageError(
            f"no training clip for: {', '.join(absent)}; record more clips or people of "
            "this activity"
        )
    if not parts["test"]:
        raise StageError("there is no test clip: record at least two clips of each activity")
    seen = {
        rows[c["first"] : c["first"] + c["frames"]].tobytes(): c["clip"]
        for c in parts["train"] + parts["val"]
    }
    twins = [
        (c["clip"], seen[key])
        for c in parts["test"]
        if (key := rows[c["first"] : c["first"] + c["frames"]].tobytes()) in seen
    ]
    if twins:
        raise StageError(
            f"the training and test parts have {len(twins)} clip{'s' * (len(twins) != 1)} in common, such as "
            f"{twins[0][0]} and {twins[0][1]}"
        )


def _windows(
    clips: list[dict[str, Any]],
    rows: Any,
    labels: list[str],
    constants: dict[str, Any],
    whole_clips: bool,
) -> tuple[Any, Any, Any]:
    import numpy as np

    from stages.tasks.keypoints import encoding

    window = constants["window"]
    points = [rows[c["first"] : c["first"] + c["frames"]] for c in clips]
    cut = [
        encoding.resampled(one, window)[None] if whole_clips else encoding.windows(one, constants)
        for one in points
    ]
    counts = [len(one) for one in cut]
    empty = np.zeros((0, window, *rows.shape[1:]), np.float32)
    y = np.repeat([labels.index(c["label"]) for c in clips], counts).astype(np.int64)
    return (
        np.concatenate([empty, *cut]),
        y,
        np.repeat(np.arange(len(clips)), counts).astype(np.int64),
    )


def _statistics(windows: Any, labels: list[str], joints: list[str]) -> dict[str, Any]:
    """Return the constants computed from the training windows (windows, window, joints, 3)."""
    import numpy as np

    from stages.tasks.keypoints import encoding, presence

    raw = encoding.raw_features(windows, joints)  # (windows, rows, channels)
    return {
        "nothing_below": presence.threshold(windows, labels),
        "mean": raw.mean(0).round(6).tolist(),
        "deviation": np.maximum(raw.std(0), 1e-3).round(6).tolist(),
    }


def _write(
    folder: "Path",
    windows: Any,
    y: Any,
    clip: Any,
    clips: list[dict[str, Any]],
    labels: list[str],
    constants: dict[str, Any],
    parts: dict[str, list[dict[str, Any]]],
) -> None:
    """Write one part: tensors, ground truth, labels and constants."""
    import json

    import numpy as np

    from stages.tasks.keypoints import encoding, presence
    from stages.tflite import part

    part.write(folder, {"features": encoding.window_features(windows, constants)})
    np.save(folder / "truth_class.npy", y[np.unique(clip, return_index=True)[1]])
    np.save(folder / "truth_clip.npy", clip)
    np.save(folder / "truth_nothing.npy", presence.shows_nobody(windows, constants))
    counts = {
        split: {label: sum(c["label"] == label for c in ours) for label in labels}
        for split, ours in parts.items()
    }
    people = [clips[at]["person"] for at in np.unique(clip)]
    truth = {"labels": labels, "clips": counts, "people": people}
    for name, content in (("truth", truth), ("constants", constants)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    text = "".join(f"{label}\n" for label in labels)
    (folder / "labels.txt").write_text(text, encoding="utf-8")


def _write_for_augmentation(
    train: "Path", cut: tuple[Any, Any, Any], clips: list[dict[str, Any]]
) -> None:
    """Write each training window's keypoints and the weight of its clip."""
    import numpy as np

    windows, _, clip = cut
    np.save(train / "keypoints.npy", windows)
    weights = np.array([one.get("weight", 1.0) for one in clips], np.float32)
    np.save(train / "weight.npy", weights[clip])
