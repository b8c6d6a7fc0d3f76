"""A video or a picture as a source; how a video is paced is tested with its clip."""

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image

from tests.stages.serving.sources.cameras import QUICK, Camera

ONCE = dataclasses.replace(QUICK, speed="fast", loop=False)


def test_a_video_is_read_to_its_end(make_video, tmp_path):
    path = make_video(tmp_path / "a.mp4")
    with Camera(str(path), ONCE) as camera:
        state = camera.until_status("ended")
    assert (state["type"], state["captured"], state["size"], state["why"]) == (
        "file",
        3,
        (48, 64),
        "",
    )
    assert [one.frame for one in camera.taken] == [0, 1, 2]
    assert len({one.clip for one in camera.taken}) == 1 and not camera.taken[0].is_still


def test_a_picture_is_a_still(tmp_path):
    Image.fromarray(np.full((8, 6, 3), 99, np.uint8)).save(tmp_path / "a.png")
    with Camera(str(tmp_path / "a.png"), ONCE) as camera:
        state = camera.until_status("ended")
    assert (state["captured"], state["size"], camera.taken[0].is_still) == (1, (8, 6), True)


def test_a_file_that_is_no_video_has_failed(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with Camera(str(tmp_path / "a.mp4"), ONCE) as camera:
        assert camera.until_status("failed")["why"] == "a.mp4 cannot be read: not a readable video"


@pytest.mark.parametrize("has_pyav", [True, False])
def test_a_file_that_disappears_is_looked_for_until_it_is_back(
    make_video, tmp_path, monkeypatch, has_pyav
):
    path = make_video(tmp_path / "a.mp4")
    if not has_pyav:
        for name in ("av", "stages.media.video_pyav"):
            monkeypatch.setitem(sys.modules, name, None)
    with Camera(str(path), dataclasses.replace(ONCE, loop=True)) as camera:
        camera.until_frames(1)
        content = path.read_bytes()
        path.unlink()
        assert "a.mp4 cannot be read" in camera.until_status("no_signal")["why"]
        path.write_bytes(content)
        assert camera.until_status("live")["reopened"] == 1
