"""A video plays at its own speed, or as fast as its frames are read; late frames are left out."""

import time

import numpy as np
import pytest

from engine.stage import StageError
from stages.serving.interfaces import Ended
from stages.serving.reading.clip import VideoClip
from stages.serving.reading.options import ReadingOptions

STEPS = [np.full((48, 64, 3), 30 + 20 * at, np.uint8) for at in range(10)]
FAST = ReadingOptions(speed="fast", loop=False)


class Shown:
    """Reads a clip and keeps what it wrote: the number of the step, from the brightness."""

    def __init__(self, clip):
        self.clip = clip
        clip.open()

    def read(self):
        kept = []
        size = self.clip.read(lambda h, w: kept.append(np.zeros((h, w, 3), np.uint8)) or kept[0])
        return None if size is None else round((float(kept[0].mean()) - 30) / 20)

    def rest(self):
        found = []
        try:
            while True:
                found.append(self.read())
        except Ended:
            return found


@pytest.fixture
def video(make_video, tmp_path):
    """Ten frames a second for a second."""
    return make_video(tmp_path / "a.mp4", [at / 10 for at in range(10)], STEPS)


def test_every_frame_is_read_without_waiting(video, monkeypatch):
    monkeypatch.delattr(time, "sleep")
    clip = VideoClip(video, FAST)
    assert Shown(clip).rest() == list(range(10))
    assert clip.dropped == {"newer": 0, "damaged": 0}


def test_frames_come_when_they_are_due(make_video, tmp_path):
    times_s = [0, 0.05, 0.3, 0.35]
    video = make_video(tmp_path / "a.mp4", times_s, STEPS[:4])
    shown, came_s = Shown(VideoClip(video, ReadingOptions(loop=False))), []
    for at in range(4):
        assert shown.read() == at
        came_s.append(time.monotonic())
    for came, due in zip(came_s, times_s, strict=True):
        assert came - came_s[0] >= due - 0.02


def test_a_wait_for_the_next_frame_is_limited(make_video, tmp_path):
    video = make_video(tmp_path / "a.mp4", [0, 0.2], STEPS[:2])
    shown = Shown(VideoClip(video, ReadingOptions(loop=False, wait_s=0.05)))
    found = [shown.read() for _ in range(3)]
    assert found == [0, None, None]
    assert [one for one in shown.rest() if one is not None] == [1]


def test_frames_that_are_late_are_left_out_and_counted(video):
    clip = VideoClip(video, ReadingOptions(loop=False))
    shown = Shown(clip)
    assert shown.read() == 0
    time.sleep(0.35)
    at = shown.read()
    assert at >= 2 and clip.dropped["newer"] == at - 1


def test_the_last_frame_is_shown_however_late_it_is(video):
    clip = VideoClip(video, ReadingOptions(loop=False))
    shown = Shown(clip)
    assert shown.read() == 0
    time.sleep(1.3)
    assert shown.rest() == [9] and clip.dropped["newer"] == 8


def test_a_loop_begins_a_clip_each_time(video):
    clip = VideoClip(video, ReadingOptions(speed="fast"))
    shown = Shown(clip)
    found = [(shown.read(), clip.clip) for _ in range(21)]
    assert found == [*((at, 1) for at in range(10)), *((at, 2) for at in range(10)), (0, 3)]


def test_decoding_that_is_slower_than_the_video_slows_it_down(video, monkeypatch):
    clip = VideoClip(video, ReadingOptions(loop=False, wait_s=0.1))
    shown = Shown(clip)
    assert shown.read() == 0
    monkeypatch.setattr(clip, "_following", slowed(clip._following, 0.12))
    assert len(shown.rest()) >= 3  # and not only the last


def slowed(function, seconds):
    def slow():
        time.sleep(seconds)
        return function()

    return slow


def test_a_rotated_video_is_upright(make_video, tmp_path):
    from tests.stages.media.conftest import corner_picture

    picture = corner_picture()
    video = make_video(tmp_path / "a.mp4", [0], [np.rot90(picture).copy()], degrees=-90)
    clip, kept = VideoClip(video, FAST), []
    clip.open()
    size = clip.read(lambda h, w: kept.append(np.zeros((h, w, 3), np.uint8)) or kept[0])
    assert size == (48, 64) and np.abs(kept[0].astype(int) - picture).mean() < 12


def test_a_large_video_is_reduced(make_video, tmp_path):
    video = make_video(tmp_path / "a.mp4", [0], [np.full((240, 320, 3), 90, np.uint8)])
    clip, kept = VideoClip(video, ReadingOptions(speed="fast", loop=False, side=60)), []
    clip.open()
    size = clip.read(lambda h, w: kept.append(np.zeros((h, w, 3), np.uint8)) or kept[0])
    assert size == (60, 80) and np.abs(kept[0].astype(int) - 90).max() < 12


def test_the_frames_missing_from_a_damaged_video_are_counted(video):
    whole = bytearray(video.read_bytes())
    video.write_bytes(whole[: len(whole) * 2 // 3])
    clip = VideoClip(video, FAST)
    found = Shown(clip).rest()
    assert 0 < len(found) < 10 and len(found) + clip.dropped["damaged"] == 10


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(StageError, match=r"a\.mp4 cannot be read: not a readable video"):
        VideoClip(path, FAST).open()
