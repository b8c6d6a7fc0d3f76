"""The dataset stage: the people in each part, windows from clips, and refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.stage import StageError
from stages.pose._clips import Clip, write
from stages.pose.dataset import dataset as make_parts
from stages.tasks.keypoints import encoding
from stages.tflite import part

ACTIVITIES = ("sitting", "waving")


def clip(
    name: str,
    label: str | None,
    person: str | None = None,
    split: str | None = None,
    frames: int = 12,
) -> Clip:
    """A unique clip."""
    random = np.random.default_rng(list(name.encode()))
    points = random.uniform(0, 100, (1, 17, 3)) + random.normal(0, 1, (frames, 17, 3))
    return Clip(name, "coco17", points.astype(np.float32), label, person, split)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Five people who do both activities, two clips each."""
    names = [
        (f"{who}{n}_{what}", what, who) for who in "abcde" for what in ACTIVITIES for n in (1, 2)
    ]
    write(tmp_path / "people", [clip(name, what, who) for name, what, who in names])
    return tmp_path / "people"


@pytest.fixture
def own_split(tmp_path: Path) -> Path:
    """Recordings with their own split: six training clips and two test clips per activity."""
    names = [
        (f"{split}{n}_{what}", what, split)
        for what in ACTIVITIES
        for split, count in (("train", 6), ("test", 2))
        for n in range(count)
    ]
    write(tmp_path / "own", [clip(name, what, None, split) for name, what, split in names])
    return tmp_path / "own"


def dataset(keypoints: Path, folder: Path, **params: Any) -> Any:
    """Make both parts in a folder."""
    return make_parts(keypoints, folder / "train", folder / "test", **params)


FOLDERS = {"train": "train", "val": "train/validation", "test": "test"}


def x(folder: Path, split: str) -> Any:
    """Return the features of a part; empty if it does not exist."""
    place = folder / FOLDERS[split]
    return part.read(place).tensors["features"] if place.is_dir() else np.zeros((0, 1, 1, 1))


def truth(folder: Path, part_name: str = "train") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / part_name / "truth.json").read_text())
    return content


def constants_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "train" / "constants.json").read_text())
    return content


def owners(keypoints: Path, folder: Path) -> dict[str, set[str]]:
    """Return the people of each part, identified by their clips' windows."""
    rows = np.load(keypoints / "keypoints.npy")
    entries = json.loads((keypoints / "recordings.json").read_text())["clips"]
    constants = constants_of(folder)
    found: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for entry in entries:
        window = encoding.features(
            rows[entry["first"] : entry["first"] + entry["frames"]], constants
        )[0]
        for split, people in found.items():
            if any(np.array_equal(window, other) for other in x(folder, split)):
                people.add(entry["person"])
    return found


def test_parts_share_no_person(people: Path, tmp_path: Path) -> None:
    dataset(people, tmp_path / "out", window=8, stride=4)
    parts = owners(people, tmp_path / "out")
    assert sorted(len(who) for who in parts.values()) == [1, 1, 3]
    assert (
        not parts["train"] & parts["test"]
        and not parts["train"] & parts["val"]
        and not parts["val"] & parts["test"]
    )


def test_the_truth_names_the_person_of_each_clip(people: Path, tmp_path: Path) -> None:
    dataset(people, tmp_path / "out", window=8, stride=4)
    for split in ("train", "test"):
        named = truth(tmp_path / "out", split)["people"]
        assert len(named) == len(np.load(tmp_path / f"out/{split}/truth_class.npy"))
        assert set(named) == owners(people, tmp_path / "out")[split]


def test_windows_of_a_clip_are_in_one_part_and_know_their_clip(
    people: Path, tmp_path: Path
) -> None:
    metrics = dataset(people, tmp_path / "out", window=8, stride=4)
    assert metrics == {"train_windows": 24, "val_windows": 8, "test_windows": 8, "classes": 2}
    assert np.load(tmp_path / "out/test/truth_clip.npy").tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_recordings_own_split_is_kept(own_split: Path, tmp_path: Path) -> None:
    dataset(own_split, tmp_path / "out", window=8, stride=4)
    assert truth(tmp_path / "out")["clips"] == {
        "train": {"sitting": 5, "waving": 5},
        "val": {"sitting": 1, "waving": 1},
        "test": {"sitting": 2, "waving": 2},
    }


def test_a_validation_part_of_the_recordings_own_is_kept(tmp_path: Path) -> None:
    counts = (("train", 6), ("val", 3), ("test", 2))
    clips = [
        clip(f"{split}{n}_{what}", what, None, split)
        for what in ACTIVITIES
        for split, count in counts
        for n in range(count)
    ]
    write(tmp_path / "own", clips)
    dataset(tmp_path / "own", tmp_path / "out", window=8, stride=4)
    found = truth(tmp_path / "out")["clips"]
    assert [set(found[split].values()) for split, _ in counts] == [{6}, {3}, {2}]


def test_without_a_validation_share_every_training_clip_is_trained_on(
    own_split: Path, tmp_path: Path
) -> None:
    metrics = dataset(own_split, tmp_path / "out", window=8, stride=4, val_share=0.0)
    assert (metrics["train_windows"], metrics["val_windows"]) == (24, 0)
    assert not (tmp_path / "out/train/validation").exists()


@pytest.mark.parametrize(("window", "rows"), [(1, 1), (8, 5)])
def test_a_window_may_be_one_frame(window: int, rows: int, people: Path, tmp_path: Path) -> None:
    dataset(people, tmp_path / "out", window=window, stride=4)
    assert x(tmp_path / "out", "train").shape[1:3] == (rows, 1)
    assert np.load(tmp_path / "out/train/keypoints.npy").shape[1:] == (window, 17, 3)


@pytest.mark.parametrize(("frames", "window", "told"), [(1, 8, 1), (1, 1, 0), (2, 8, 0)])
def test_single_pictures_in_longer_windows_are_noted(
    frames: int, window: int, told: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("stages.pose.dataset.note", said.append)
    names = [(f"{what}{n}", what) for what in ACTIVITIES for n in range(8)]
    clips = [clip(name, what, frames=frames) for name, what in names]
    write(tmp_path / "clips", clips)
    dataset(tmp_path / "clips", tmp_path / "out", window=window)
    assert ["pass params.window=1" in one for one in said] == [True] * told


def test_a_clip_shorter_than_a_window_is_one_window(people: Path, tmp_path: Path) -> None:
    metrics = dataset(people, tmp_path / "out", window=32)
    assert (metrics["train_windows"], metrics["val_windows"], metrics["test_windows"]) == (12, 4, 4)


def test_a_whole_clip_is_one_window_however_long(tmp_path: Path) -> None:
    clips = [
        clip(f"{what}{frames}{split}", what, None, split, frames)
        for what in ACTIVITIES
        for frames, split in ((6, "train"), (20, "train"), (90, "train"), (50, "test"))
    ]
    write(tmp_path / "lengths", clips)
    metrics = dataset(
        tmp_path / "lengths", tmp_path / "out", window=8, whole_clips=True, val_share=0.0
    )
    assert (metrics["train_windows"], metrics["test_windows"]) == (6, 2)
    first, last = np.load(tmp_path / "out/train/keypoints.npy")[2][[0, -1]]
    assert (first == clips[2].keypoints[0]).all() and (last == clips[2].keypoints[-1]).all()


def test_the_device_looks_at_spans_of_the_whole_clips_median_length(tmp_path: Path) -> None:
    lengths = ((6, "train"), (20, "train"), (90, "train"), (50, "test"))
    write(
        tmp_path / "lengths",
        [clip(f"{what}{n}", what, None, split, n) for what in ACTIVITIES for n, split in lengths],
    )
    dataset(tmp_path / "lengths", tmp_path / "whole", window=8, whole_clips=True, val_share=0.0)
    dataset(tmp_path / "lengths", tmp_path / "cut", window=8, val_share=0.0)
    assert constants_of(tmp_path / "whole")["span"] == 20
    assert constants_of(tmp_path / "cut")["span"] == 8


def test_the_training_windows_are_standardised(people: Path, tmp_path: Path) -> None:
    dataset(people, tmp_path / "out", window=1, stride=1)
    rows = x(tmp_path / "out", "train")[:, 0, 0]
    moving = rows.std(0) > 0.1
    assert np.allclose(rows.mean(0), 0, atol=0.1)
    assert np.allclose(rows.std(0)[moving], 1, atol=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_other_people(
    people: Path, tmp_path: Path
) -> None:
    for name, seed in (("one", 0), ("again", 0), ("other", 3)):
        dataset(people, tmp_path / name, window=8, seed=seed)
    written = {
        name: {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "again", "other")
    }
    assert written["one"] == written["again"]
    assert owners(people, tmp_path / "one")["test"] != owners(people, tmp_path / "other")["test"]


def test_who_alone_does_an_activity_is_not_set_aside(tmp_path: Path) -> None:
    clips = [
        clip(f"{who}{what}{n}", what, who) for who in "abc" for what in ACTIVITIES for n in (1, 2)
    ]
    write(
        tmp_path / "alone",
        [
            *clips,
            clip("solo", "dancing", "d"),
            clip("t1", "sitting", "e", "test"),
            clip("t2", "waving", "e", "test"),
        ],
    )
    for seed in range(6):
        dataset(tmp_path / "alone", tmp_path / f"out{seed}", window=8, seed=seed)
        assert truth(tmp_path / f"out{seed}")["clips"]["train"]["dancing"] == 1


def test_clips_without_a_label_are_left_out(own_split: Path, tmp_path: Path) -> None:
    write(
        tmp_path / "some",
        [
            *(clip(f"{what}{n}", what) for what in ACTIVITIES for n in range(4)),
            clip("who knows", None),
        ],
    )
    dataset(tmp_path / "some", tmp_path / "out", window=8)
    assert truth(tmp_path / "out")["labels"] == list(ACTIVITIES)


def test_the_same_clip_in_two_parts_is_refused(tmp_path: Path) -> None:
    twin = clip("a", "sitting", None, "train")
    copy = Clip("b", "coco17", twin.keypoints, "sitting", None, "test")
    write(
        tmp_path / "twins",
        [twin, copy, clip("c", "waving", None, "train"), clip("d", "waving", None, "test")],
    )
    with pytest.raises(
        StageError, match="the training and test parts have 1 clip in common, such as b and a"
    ):
        dataset(tmp_path / "twins", tmp_path / "out", window=8)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (
            [("a", "sitting", None), ("b", "sitting", None)],
            r"needs at least two activities; the recordings have \['sitting'\]",
        ),
        ([("a", "sitting", "train"), ("b", "waving", "test")], "no training clip for: waving"),
        ([("a", "sitting", None), ("b", "waving", None)], "there is no test clip"),
    ],
    ids=["one activity", "an activity in the test alone", "one clip of each"],
)
def test_what_cannot_be_trained_or_tested_is_refused(
    clips: list[Any], message: str, tmp_path: Path
) -> None:
    write(tmp_path / "few", [clip(name, label, None, split) for name, label, split in clips])
    with pytest.raises(StageError, match=message):
        dataset(tmp_path / "few", tmp_path / "out", window=8)


def test_raw_clips_of_every_activity_go_along_with_the_examples_made_of_them(
    people: Path, tmp_path: Path
) -> None:
    dataset(people, tmp_path / "out", window=8, stride=4)
    items = part.items(tmp_path / "out/test")
    assert [(item.path.name, item.first, item.last) for item in items] == [
        ("00.csv", 0, 1),
        ("01.csv", 4, 5),
        ("02.csv", 2, 3),
        ("03.csv", 6, 7),
    ]
    assert not (tmp_path / "out/train/raw").exists()


def test_a_recording_goes_along_as_it_is_if_it_is_small(people: Path, tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for entry in json.loads((people / "recordings.json").read_text())["clips"]:
        (recordings / entry["clip"]).with_suffix(".csv").write_text(entry["clip"])
    write(tmp_path / "named", [named(clip) for clip in all_clips(people)])
    make_parts(tmp_path / "named", tmp_path / "train", tmp_path / "test", recordings, window=8)
    first = part.items(tmp_path / "test")[0]
    assert first.path.read_text().endswith("sitting")


def all_clips(keypoints: Path) -> list[Clip]:
    rows = np.load(keypoints / "keypoints.npy")
    entries = json.loads((keypoints / "recordings.json").read_text())["clips"]
    return [
        Clip(
            e["clip"],
            "coco17",
            rows[e["first"] : e["first"] + e["frames"]],
            e["label"],
            e["person"],
        )
        for e in entries
    ]


def named(one: Clip) -> Clip:
    return Clip(f"{one.name}.csv", one.skeleton, one.keypoints, one.label, one.person)


def test_windows_that_show_nobody_are_marked_by_a_threshold_of_the_training(
    tmp_path: Path,
) -> None:
    clips = []
    for what in ACTIVITIES:
        for at, split in enumerate(("train", "train", "train", "test", "test")):
            made = clip(f"{split}{at}_{what}", what, None, split, frames=8)
            made.keypoints[:, :, 2] = 0.05 if at == 4 else 0.3
            clips.append(made)
    write(tmp_path / "k", clips)
    dataset(tmp_path / "k", tmp_path / "out", window=8, stride=4, val_share=0)
    assert constants_of(tmp_path / "out")["nothing_below"] == pytest.approx(0.15)
    assert not np.load(tmp_path / "out/train/truth_nothing.npy").any()
    assert np.load(tmp_path / "out/test/truth_nothing.npy").tolist() == [False, True] * 2
