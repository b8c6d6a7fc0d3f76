"""A folder as a source; which of its files are shown is tested with its slides."""

import dataclasses

import numpy as np
from PIL import Image

from tests.stages.serving.sources.cameras import QUICK, Camera

ONCE = dataclasses.replace(QUICK, speed="fast", loop=False)


def test_a_folder_is_read_to_its_end(tmp_path):
    for name, height in (("a.png", 8), ("sub/b.jpg", 4), ("sub/labels.csv", 0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if height:
            Image.fromarray(np.full((height, 6, 3), 99, np.uint8)).save(tmp_path / name)
        else:
            (tmp_path / name).touch()
    with Camera(str(tmp_path), ONCE) as camera:
        state = camera.until_status("ended")
    assert (state["type"], state["captured"]) == ("folder", 2)
    assert state["dropped"] == {"newer": 0, "damaged": 0, "foreign": 1}
    assert state["resized"] == 0  # pictures have any size
    assert [one.frame for one in camera.taken] == [0, 1]
    assert camera.taken[0].clip != camera.taken[1].clip


def test_an_empty_folder_has_failed_and_says_what_it_may_contain(tmp_path):
    with Camera(str(tmp_path), ONCE) as camera:
        assert (
            "contains no pictures and no videos; supported: .jpg"
            in camera.until_status("failed")["why"]
        )


def test_a_folder_that_disappears_is_looked_for_until_it_is_back(tmp_path):
    """Such as one of a file server that starts again."""
    folder = tmp_path / "a"
    folder.mkdir()
    Image.fromarray(np.full((8, 6, 3), 99, np.uint8)).save(folder / "a.png")
    options = dataclasses.replace(QUICK, fps=100.0, loop=True)
    with Camera(str(folder), options) as camera:
        camera.until_frames(1)
        folder.rename(tmp_path / "b")
        camera.until_status("no_signal")
        (tmp_path / "b").rename(folder)
        camera.until_status("live")
        camera.until_frames(2)
