"""The generated sample: the same bytes for the same seed, and recordings that the keypoints stage reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.pose.activity_sample import activity_sample
from stages.pose.keypoints import keypoints


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.csv"))
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        activity_sample(tmp_path / name, seed=seed, people=2, clips=1, frames=20)
    assert contents(tmp_path / "one") == contents(tmp_path / "again")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_another_number_of_people_leaves_the_first_ones_as_they_were(tmp_path: Path) -> None:
    activity_sample(tmp_path / "two", people=2, clips=1, frames=10)
    activity_sample(tmp_path / "three", people=3, clips=1, frames=10)
    assert contents(tmp_path / "two").items() < contents(tmp_path / "three").items()


def test_the_keypoints_stage_reads_it(tmp_path: Path) -> None:
    made = activity_sample(tmp_path / "sample", people=3, clips=2, frames=30)
    metrics = keypoints(tmp_path / "sample", tmp_path / "keypoints")
    recordings = json.loads((tmp_path / "keypoints/recordings.json").read_text())
    rows = np.load(tmp_path / "keypoints/keypoints.npy")
    assert (made["clips"], metrics["clips"], metrics["frames"], metrics["skipped"]) == (
        36,
        36,
        36 * 30,
        0,
    )
    assert {clip["person"] for clip in recordings["clips"]} == {"person01", "person02", "person03"}
    assert len(recordings["labels"]) == 6
    hidden = (rows[:, :, 2] == 0).mean()
    assert 0.01 < hidden < 0.1


def test_fewer_than_two_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="people >= 2"):
        activity_sample(tmp_path / "sample", people=1)
