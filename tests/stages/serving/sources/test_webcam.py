"""Webcams, with a stand-in for OpenCV's capture: this machine has no camera.

Only hardware can show: which formats and rates a camera really offers, what its driver does when it is
unplugged, and how long a frame takes from the light to the buffer.
"""

import dataclasses
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.serving.sources import webcam
from tests.stages.serving.sources.cameras import QUICK, Camera


class Capture:
    """What OpenCV opens: frames (BGR) at a rate. Changed by a test: device (a file), works, frame."""

    device: Path
    works = True
    frame = np.zeros((24, 32, 3), np.uint8)
    opened: "list[tuple[int, int]]"
    settings: "dict[int, float]"
    open_now = 0

    def __init__(self, number, backend):
        self.opened.append((number, backend))
        self.is_open = self.device.exists() and self.works
        type(self).open_now += self.is_open

    def isOpened(self):
        return self.is_open

    def set(self, name, value):
        self.settings[name] = value
        return True

    def get(self, name):
        return self.settings.get(name, 0.0)

    def read(self):
        time.sleep(0.005)
        if not self.device.exists():
            return False, None
        return True, type(self).frame.copy()

    def release(self):
        type(self).open_now -= self.is_open
        self.is_open = False


@pytest.fixture
def capture(monkeypatch, tmp_path):
    """The stand-in, with three device files; all captures that were opened must be released."""
    for number in range(3):
        (tmp_path / f"video{number}").touch()
    own = {"opened": [], "settings": {cv2.CAP_PROP_FPS: 25.0}, "device": tmp_path / "video0"}
    made = type("Made", (Capture,), own)
    monkeypatch.setattr(webcam, "DEVICES", tmp_path)
    monkeypatch.setattr(cv2, "VideoCapture", made)
    yield made
    assert made.open_now == 0


def test_frames_are_read_in_rgb(capture):
    capture.frame = np.full((24, 32, 3), (10, 20, 30), np.uint8)
    with Camera("2") as camera:
        state = camera.until_frames(2)
        assert camera.picture[0, 0].tolist() == [30, 20, 10]
    assert (state["status"], state["type"], state["size"]) == ("live", "webcam", (24, 32))
    assert capture.opened == [(2, cv2.CAP_V4L2)]
    assert camera.reader._source.fps == 25.0


def test_jpeg_and_the_wanted_size_and_rate_are_asked_for(capture):
    with Camera("/dev/video0", dataclasses.replace(QUICK, size=(480, 640), fps=15.0)) as camera:
        camera.until_frames(1)
    assert capture.settings == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter_fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_HEIGHT: 480,
        cv2.CAP_PROP_FRAME_WIDTH: 640,
        cv2.CAP_PROP_FPS: 15.0,
    }


def test_frames_are_reduced_for_a_small_model(capture):
    capture.frame = np.zeros((480, 640, 3), np.uint8)
    with Camera("0", dataclasses.replace(QUICK, side=120)) as camera:
        assert camera.until_frames(1)["size"] == (120, 160)


def test_a_camera_that_is_pulled_out_comes_back(capture):
    with Camera("0") as camera:
        camera.until_frames(2)
        capture.device.unlink()
        camera.until(lambda state: state["why"].startswith("the camera sends no frames"))
        camera.until(lambda state: state["why"].endswith("video0: plug the camera in"))
        capture.device.touch()
        state = camera.until_status("live")
        assert state["reopened"] == 1 and state["dropped"]["damaged"] == 0


def test_a_single_failed_read_is_counted_and_forgiven(capture, monkeypatch):
    reads = iter([(True, Capture.frame), (False, None)])
    monkeypatch.setattr(
        capture,
        "read",
        lambda self: next(reads, None) or (time.sleep(0.005), (True, Capture.frame))[1],
    )
    with Camera("0") as camera:
        state = camera.until(lambda state: state["dropped"]["damaged"] == 1)
        state = camera.until_frames(1)
        assert (state["status"], state["reopened"]) == ("live", 0)


def test_a_frozen_driver_is_opened_again(capture):
    with Camera("0", dataclasses.replace(QUICK, frozen_s=0.1)) as camera:
        camera.until_status("frozen")
        camera.until(lambda state: len(capture.opened) >= 2)
        capture.frame = np.full((24, 32, 3), 99, np.uint8)
        camera.until(lambda state: state["status"] == "live" and state["reopened"])


def test_a_new_size_is_followed(capture):
    with Camera("0") as camera:
        camera.until_frames(1)
        capture.frame = np.zeros((48, 64, 3), np.uint8)
        state = camera.until(lambda state: state["resized"])
        assert state["size"] == (48, 64)


@pytest.mark.parametrize(
    ("error", "help"),
    [
        (None, "is used by another program, or is not a camera"),
        (PermissionError(13, "Permission denied"), "add this user to the group video"),
        (OSError(19, "No such device"), "cannot be opened: No such device"),
    ],
)
def test_a_device_that_cannot_be_used_says_what_helps(capture, monkeypatch, error, help):
    capture.works = False

    def refuse(*words):
        raise error

    if error:
        monkeypatch.setattr(type(capture.device), "open", refuse)
    with Camera("0") as camera:
        assert camera.until_status("no_signal")["why"].endswith(help)


def test_pyav_reads_cameras_where_there_is_no_opencv(monkeypatch):
    pytest.importorskip("av", reason="PyAV is not installed")
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with Camera("999") as camera:
        state = camera.until_status("no_signal")
        assert state["why"].startswith("there is no /dev/video999: plug the camera in")


def test_a_machine_without_this_camera_says_so():
    with Camera("999") as camera:
        state = camera.until_status("no_signal")
        assert state["why"] == "there is no /dev/video999: plug the camera in"
