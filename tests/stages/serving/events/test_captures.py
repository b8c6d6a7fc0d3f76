"""Frames that the page's button stores under a class name."""

import threading
import time
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.serving.events.captures import Captures, folder_in
from stages.serving.interfaces import Picture
from tests.stages.serving.fakes import JPEG, FakeFeed


def captures(tmp_path: Path, task: str = "classify", limit_mb: float = 1.0) -> Captures:
    feed = FakeFeed(task)
    feed.pictures["door"] = Picture(JPEG, 1, time.time() + 60)
    return Captures(feed, folder_in(tmp_path, limit_mb, print), wait_s=0.1)


def test_a_frame_is_stored_below_its_class(tmp_path: Path) -> None:
    saved = captures(tmp_path).save("door", "  red  cup ")
    assert (tmp_path / "captures" / saved["name"]).read_bytes() == JPEG
    assert saved["label"] == "red cup" and saved["name"].startswith("red cup/")
    assert saved["count"] == 1


def test_it_is_the_frame_after_the_button_was_pressed(tmp_path: Path) -> None:
    feed = FakeFeed("classify")
    feed.pictures["door"] = Picture(b"old", 1, time.time() - 1)
    new = Picture(b"new", 2, time.time() + 60)
    threading.Timer(0.1, lambda: feed.pictures.update(door=new)).start()
    saved = Captures(feed, folder_in(tmp_path, 1, print)).save("door", "cup")
    assert (tmp_path / "captures" / saved["name"]).read_bytes() == b"new"
    assert feed.wants[0][3] is False  # without the drawing


def test_the_classes_are_those_of_the_model_and_of_the_folder(tmp_path: Path) -> None:
    one = captures(tmp_path)
    one.save("door", "dog")
    assert one.labels() == ["cat", "dog", "person"]


@pytest.mark.parametrize(
    "label", ["", "..", "../x", "a/b", ".x", "__x", "x" * 65, "a\nb/", "test", "Train"]
)
def test_a_name_that_is_no_class_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(StageError):
        captures(tmp_path).save("door", label)
    assert not (tmp_path / "captures").exists()


@pytest.mark.parametrize("task", ["faces", "detect", "activity", "intents", "table"])
def test_other_tasks_capture_nothing(tmp_path: Path, task: str) -> None:
    with pytest.raises(StageError, match="cannot be captured: "):
        captures(tmp_path, task).save("door", "cup")


def test_a_full_folder_keeps_what_it_has(tmp_path: Path) -> None:
    one = captures(tmp_path, limit_mb=len(JPEG) / 1e6)
    one.save("door", "cup")
    with pytest.raises(StageError, match="limit"):
        one.save("door", "cup")


def test_a_source_without_pictures_is_refused(tmp_path: Path) -> None:
    feed = FakeFeed("classify")
    feed.pictures = {}
    with pytest.raises(StageError, match="no pictures"):
        Captures(feed, folder_in(tmp_path, 1, print), wait_s=0.0).save("door", "cup")


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no such source"):
        captures(tmp_path).save("../door", "cup")
