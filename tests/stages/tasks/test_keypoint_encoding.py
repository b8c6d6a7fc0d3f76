"""The classifier's input: how clips are cut, invariance to the person's position, and the contents of a row."""

from typing import Any

import numpy as np
import pytest

from stages.tasks.keypoints import encoding
from stages.tasks.keypoints.skeletons import COCO17, JHMDB15

COCO, JHMDB = list(COCO17), list(JHMDB15)


def clip(frames: int, joints: int = 17) -> np.ndarray:
    """(frames, joints, 3) of a moving person with clearly visible joints."""
    random = np.random.default_rng(2)
    points = random.uniform(0, 100, (1, joints, 3)) + random.normal(
        0, 3, (frames, joints, 3)
    ).cumsum(0)
    points[..., 2] = 0.9
    return points.astype(np.float32)


def cut(window: int, stride: int, span: int | None = None) -> dict[str, Any]:
    return {"window": window, "stride": stride, "span": span or window}


@pytest.mark.parametrize(
    ("frames", "cuts"),
    [
        (5, [(0, 4)]),
        (8, [(0, 7)]),
        (16, [(0, 7), (4, 11), (8, 15)]),
        (18, [(0, 7), (4, 11), (8, 15), (10, 17)]),
    ],
)
def test_the_last_window_ends_with_the_clip(frames: int, cuts: list[tuple[int, int]]) -> None:
    assert encoding.cuts(frames, cut(8, 4)) == cuts


def test_a_window_holds_the_frames_of_its_cut() -> None:
    points = clip(18)
    windows = encoding.windows(points, cut(8, 4))
    assert windows.shape == (4, 8, 17, 3)
    assert (windows[3] == points[10:18]).all()


def test_a_clip_shorter_than_a_window_is_stretched_to_one() -> None:
    points = clip(5)
    windows = encoding.windows(points, cut(8, 4))
    assert windows.shape == (1, 8, 17, 3)
    assert (windows[0, [0, -1]] == points[[0, -1]]).all()


def test_a_span_longer_than_a_window_is_resampled_to_it() -> None:
    points = clip(45)
    windows = encoding.windows(points, cut(8, 20, span=40))
    assert windows.shape == (2, 8, 17, 3)
    assert (windows[1, [0, -1]] == points[[5, 44]]).all()


def test_resampling_keeps_a_straight_movement_straight() -> None:
    points = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    assert np.allclose(encoding.resampled(points, 4)[:, 0, 0], [0, 2, 4, 6])


@pytest.mark.parametrize(("window", "rows"), [(1, 1), (2, 3), (3, 4), (32, 5)])
def test_a_picture_has_one_row_and_a_window_its_quarters_and_the_change(
    window: int, rows: int
) -> None:
    assert encoding.raw_features(clip(window)[None], COCO).shape[:2] == (1, rows)


@pytest.mark.parametrize("joints", [COCO, JHMDB], ids=["coco17", "jhmdb15"])
@pytest.mark.parametrize("window", [1, 32])
def test_where_in_the_picture_and_how_large_a_person_is_does_not_matter(
    joints: list[str], window: int
) -> None:
    points = clip(window, len(joints))[None]
    elsewhere = points * np.array([3, 3, 1], np.float32) + np.array([200, 50, 0], np.float32)
    assert np.allclose(
        encoding.raw_features(points, joints), encoding.raw_features(elsewhere, joints), atol=1e-3
    )


def test_who_stands_still_does_not_change() -> None:
    still = np.repeat(clip(1), 32, axis=0)[None]
    raw = encoding.raw_features(still, COCO)
    assert np.allclose(raw[0, -1], 0, atol=1e-5)
    assert np.allclose(raw[0, 0], raw[0, 3], atol=1e-5)


def test_who_walks_through_the_window_changes_place() -> None:
    still = np.repeat(clip(1), 32, axis=0)
    walk = still + np.linspace(0, 200, 32)[:, None, None] * np.array([1, 0, 0])
    raw = encoding.raw_features(walk[None].astype(np.float32), COCO)
    assert raw[0, -1].max() > 1
    assert raw[0, 0, 0] < raw[0, 3, 0]


def test_no_window_gives_no_features() -> None:
    for window in (1, 32):
        assert len(encoding.raw_features(np.zeros((0, window, 17, 3), np.float32), COCO)) == 0


def test_the_quarters_together_weigh_as_much_as_the_change_and_a_lost_joint_is_clipped() -> None:
    raw = encoding.raw_features(clip(32)[None], COCO)[0]
    constants = {
        "joints": COCO,
        "mean": (raw - 100).tolist(),
        "deviation": np.ones_like(raw).tolist(),
    }
    standard = encoding.window_features(clip(32)[None], constants)
    assert standard.shape == (1, 5, 1, raw.shape[1])
    assert np.allclose(standard[0, :, 0, 0], [2, 2, 2, 2, 4])


def test_the_other_side_of_the_other_side_is_the_joint_itself() -> None:
    for joints in (COCO, JHMDB):
        other = encoding.mirrored_joints(joints)
        assert [other[at] for at in other] == list(range(len(joints)))
        assert joints[other[joints.index("left_knee")]] == "right_knee"
