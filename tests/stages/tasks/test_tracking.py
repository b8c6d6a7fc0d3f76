"""Objects keep their numbers: crossing, hidden for a second, many, jittering, missed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tasks.tracking import Seen, Tracker
from tests.stages.tasks.scenes import Nearest, box, scene, switches

FPS = 10


def _ids(tracker, frames, fps=FPS, start_s=0.0):
    """Return the numbers of each frame's boxes."""
    return [
        tracker.follow(Seen.of(found), start_s + at / fps)[0] for at, found in enumerate(frames)
    ]


def _walk(frames, speed=6.0, x=50.0, y=100.0):
    return [[box(x + speed * at, y)] for at in range(frames)]


def test_each_object_has_its_own_number_from_its_first_frame():
    assert _ids(Tracker(), [[box(50, 50), box(200, 50)]] * 3) == [[1, 2]] * 3


def test_the_order_of_detections_does_not_matter():
    tracker = Tracker()
    one, other = box(50, 50), box(200, 50)
    assert _ids(tracker, [[one, other], [other, one]]) == [[1, 2], [2, 1]]


@pytest.mark.parametrize("fps", [4, 10, 30])
@pytest.mark.parametrize("speed_per_s", [0, 40])
def test_an_object_that_is_hidden_for_less_than_a_second_keeps_its_number(fps, speed_per_s):
    walk = _walk(4 * fps, speed_per_s / fps)
    first, hidden = 2 * fps, int(0.95 * fps)
    walk[first : first + hidden] = [[]] * hidden
    found = _ids(Tracker(), walk, fps)
    assert {one for frame in found for one in frame} == {1}


@pytest.mark.parametrize("fps", [4, 10, 30])
def test_an_object_that_is_hidden_for_longer_gets_a_new_number(fps):
    walk = _walk(6 * fps, 0)
    hidden = int(1.4 * fps)
    walk[fps : fps + hidden] = [[]] * hidden
    found = _ids(Tracker(), walk, fps)
    assert (found[0], found[-1]) == ([1], [2])


def test_memory_is_counted_in_seconds_and_not_in_frames():
    tracker = Tracker()
    tracker.follow(Seen.of([box(50, 50)]), 0.0)
    for at in range(1, 90):
        tracker.follow(Seen.of([]), at / 100)
    assert tracker.follow(Seen.of([box(50, 50)]), 0.9)[0] == [1]


def test_a_camera_that_stands_still_for_a_while_starts_anew():
    tracker = Tracker()
    assert tracker.follow(Seen.of([box(50, 50)]), 0.0)[0] == [1]
    assert tracker.follow(Seen.of([box(50, 50)]), 2.0)[0] == [1]  # a slow camera
    assert tracker.follow(Seen.of([box(50, 50)]), 30.0)[0] == [2]


def test_two_that_cross_keep_their_numbers():
    steps = range(41)
    frames = [[box(100 + 10 * at, 200), box(500 - 10 * at, 225)] for at in steps]
    assert _ids(Tracker(), frames) == [[1, 2]] * len(steps)


def test_two_that_cross_while_one_hides_the_other_keep_their_numbers():
    frames = [[box(100 + 10 * at, 200), box(500 - 10 * at, 215)] for at in range(41)]
    frames[18:24] = [frame[:1] for frame in frames[18:24]]
    found = _ids(Tracker(), frames)
    assert found[-1] == [1, 2]


def test_an_object_that_moves_by_its_own_width_between_frames_keeps_its_number():
    found = _ids(Tracker(), _walk(12, speed=45.0), fps=4)
    assert found == [[1]] * 12


def test_thirty_objects_keep_their_numbers_while_their_boxes_jitter():
    chance = np.random.default_rng(0)
    places = np.array([box(80 * (at % 6), 130 * (at // 6)) for at in range(30)])
    frames = [places + chance.normal(0, 3, places.shape) for _ in range(100)]
    assert all(frame == list(range(1, 31)) for frame in _ids(Tracker(), frames))


def test_objects_of_two_kinds_never_share_a_number():
    tracker = Tracker()
    assert tracker.follow(Seen.of([box(50, 50)], [0]), 0.0)[0] == [1]
    assert tracker.follow(Seen.of([box(50, 50)], [1]), 0.1)[0] == [2]
    assert tracker.follow(Seen.of([box(50, 50)], [0]), 0.2)[0] == [1]


def test_a_new_object_of_another_size_does_not_get_a_lost_ones_number():
    tracker = Tracker()
    tracker.follow(Seen.of([box(50, 50)]), 0.0)
    assert tracker.follow(Seen.of([box(90, 50, 8, 16)]), 0.1)[0] == [2]


def test_weak_detections_continue_an_object_but_start_none():
    tracker = Tracker()
    weak = Seen.of([box(300, 50), box(52, 50)])
    assert tracker.follow(Seen.of([box(50, 50)]), 0.0, lambda: weak) == ([1], [])
    assert tracker.follow(Seen.of([]), 0.1, lambda: weak) == ([], [(1, 1)])
    assert tracker.follow(Seen.of([box(54, 50)]), 0.2, lambda: weak)[0] == [1]


def test_weak_detections_alone_continue_an_object_for_a_second():
    tracker, weak = Tracker(), Seen.of([box(50, 50)])
    tracker.follow(Seen.of([box(50, 50)]), 0.0)
    kept = [bool(tracker.follow(Seen.of([]), at / 10, lambda: weak)[1]) for at in range(1, 20)]
    assert kept == [True] * 11 + [False] * 8


def test_weak_detections_are_computed_only_if_an_object_is_missing():
    def never():
        raise AssertionError

    tracker = Tracker()
    tracker.follow(Seen.of([box(50, 50)]), 0.0, never)
    assert tracker.follow(Seen.of([box(50, 50), box(200, 50)]), 0.1, never) == ([1, 2], [])


@pytest.mark.parametrize("fps", [5, 15])
def test_numbers_change_far_less_often_than_with_the_nearest_box(fps):
    frames = [one for seed in range(3) for one in [list(scene(seed, fps=fps))]]
    ours = plain = 0
    for each in frames:
        tracker = Tracker()
        ours += switches(lambda found, at, use=tracker: use.follow(Seen.of(found), at)[0], each)
        plain += switches(Nearest().follow, each)
    assert ours * 4 < plain


BOX = st.tuples(*[st.floats(-1e4, 1e4)] * 4)
FRAMES = st.lists(
    st.tuples(st.floats(0, 2), st.lists(st.tuples(BOX, st.integers(0, 2)), max_size=6)), max_size=8
)


@given(FRAMES)
def test_numbers_of_a_frame_differ_and_never_return_for_another_kind(frames):
    tracker, now_s, kinds = Tracker(), 0.0, {}
    for pause_s, found in frames:
        now_s += pause_s
        seen = Seen.of([one for one, _ in found], [kind for _, kind in found])
        ids, _ = tracker.follow(seen, now_s)
        assert len(set(ids)) == len(ids) == len(found)
        every = zip(ids, seen.kinds, strict=True)
        assert all(kinds.setdefault(one, kind) == kind for one, kind in every)
        assert set(ids) <= set(tracker.ids)


@pytest.mark.parametrize("start_s", [-7.5, 3.0, 1.8e9])
def test_numbers_do_not_depend_on_when_the_clip_started(start_s):
    frames = [found for _, found, _ in scene(0, objects=5, seconds=4)]
    assert _ids(Tracker(), frames) == _ids(Tracker(), frames, start_s=start_s)


def test_a_lost_object_is_forgotten():
    tracker = Tracker()
    _ids(tracker, [[box(50 + 100 * (at % 7), 50)] for at in range(500)], fps=1)
    assert len(tracker.ids) < 8
