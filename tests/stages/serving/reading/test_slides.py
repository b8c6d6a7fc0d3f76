"""Pictures and videos of a folder, one after another, and those that appear later."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.slides import Slides

FAST = ReadingOptions(speed="fast", loop=False, wait_s=0.05)


def write(path, grey=99, size=(8, 6)):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (grey, grey, grey)).save(path)
    return path


def read(slides):
    kept = []
    size = slides.read(lambda h, w: kept.append(np.zeros((h, w, 3), np.uint8)) or kept[0])
    return None if size is None else int(kept[0][0, 0, 0])


def rest(slides):
    """Return the pictures until the end, without the waits."""
    found = []
    try:
        while True:
            found.append(read(slides))
    except Ended:
        return [one for one in found if one is not None]


def opened(path, options=FAST):
    slides = Slides("folder", path, options)
    slides.open()
    return slides


def test_pictures_come_in_natural_order_and_each_is_a_clip_of_its_own(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path / f"{number}.png", number)
    slides = opened(tmp_path)
    found = [(read(slides), slides.clip, slides.is_still) for _ in range(3)]
    assert found == [(1, 1, True), (2, 2, True), (10, 3, True)] and rest(slides) == []


def test_a_video_in_a_folder_is_played_as_one_clip(make_video, tmp_path):
    write(tmp_path / "a.png", 50)
    make_video(tmp_path / "b.mp4", [0, 0.1, 0.2], [np.full((48, 64, 3), 90, np.uint8)] * 3)
    write(tmp_path / "c.png", 70)
    slides = opened(tmp_path)
    found = [(read(slides), slides.clip, slides.is_still) for _ in range(5)]
    assert [one[1:] for one in found] == [(1, True), *[(2, False)] * 3, (3, True)]


def test_foreign_and_damaged_files_are_counted_and_left_out(tmp_path):
    write(tmp_path / "a.png", 50)
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "c.mp4").write_bytes(b"no video")
    (tmp_path / "labels.csv").touch()
    (tmp_path / ".hidden").touch()
    slides = opened(tmp_path)
    assert rest(slides) == [50]
    assert slides.dropped == {"newer": 0, "damaged": 2, "foreign": 1}


def test_pictures_are_shown_at_a_rate_and_never_left_out(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.png", number)
    slides = opened(tmp_path, ReadingOptions(fps=10, loop=False))
    begin = time.monotonic()
    assert [read(slides) for _ in range(2)] == [0, 1] and time.monotonic() - begin >= 0.1
    time.sleep(0.25)
    assert rest(slides) == [2]


def test_a_folder_starts_again_with_the_files_that_it_then_has(tmp_path):
    write(tmp_path / "a.png", 50)
    slides = opened(tmp_path, ReadingOptions(speed="fast"))
    assert read(slides) == 50
    write(tmp_path / "b.png", 60)
    assert [read(slides) for _ in range(3)] == [50, 60, 50]


def test_new_files_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.serving.reading.slides._POLL_S", 0.02)
    slides = opened(tmp_path, ReadingOptions(speed="fast", watch=True, wait_s=0.05))
    assert read(slides) is None
    write(tmp_path / "a.png", 50)
    write(tmp_path / "sub" / "b.png", 60)
    assert [read(slides) for _ in range(3)] == [50, 60, None]
    write(tmp_path / "a.png", 70, (9, 9))  # written again
    assert [read(slides), read(slides)] == [70, None]


def test_a_file_that_is_still_being_written_is_read_when_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.serving.reading.slides._POLL_S", 0.02)
    whole = write(tmp_path.parent / "whole.png", 50).read_bytes()
    slides = opened(tmp_path, ReadingOptions(speed="fast", watch=True, wait_s=0.05))
    (tmp_path / "a.png").write_bytes(whole[:40])
    assert read(slides) is None and slides.dropped["damaged"] == 0
    (tmp_path / "a.png").write_bytes(whole)
    assert read(slides) == 50


def test_an_old_damaged_file_is_counted_once_while_watching(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.serving.reading.slides._POLL_S", 0.01)
    (tmp_path / "a.png").write_bytes(b"no picture")
    os.utime(tmp_path / "a.png", (1, 1))
    slides = opened(tmp_path, ReadingOptions(speed="fast", watch=True, wait_s=0.05))
    assert [read(slides), read(slides)] == [None, None] and slides.dropped["damaged"] == 1


def test_one_picture_is_a_source_too(tmp_path):
    assert rest(opened(write(tmp_path / "a.jpg", 50))) == [50]


def test_a_large_picture_is_reduced(tmp_path):
    slides = opened(write(tmp_path / "a.png", 50, (320, 240)), ReadingOptions(side=60))
    assert slides.read(lambda h, w: np.zeros((h, w, 3), np.uint8)) == (60, 80)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(StageError, match="contains no pictures and no videos; supported"):
        opened(tmp_path)


@pytest.mark.parametrize("loop", [True, False])
def test_a_folder_of_which_nothing_can_be_read_is_refused(tmp_path, loop):
    (tmp_path / "a.png").write_bytes(b"no picture")
    slides = opened(tmp_path, ReadingOptions(speed="fast", loop=loop))
    with pytest.raises(StageError, match=r"can be read: a\.png: not a picture"):
        read(slides)


def test_a_folder_that_disappears_is_reported(tmp_path):
    write(tmp_path / "in" / "a.png")
    slides = opened(tmp_path / "in", ReadingOptions(speed="fast"))
    read(slides)
    (tmp_path / "in" / "a.png").unlink()
    (tmp_path / "in").rmdir()
    with pytest.raises(NoSignal, match="can be read"):
        read(slides)
