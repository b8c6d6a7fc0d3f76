"""The Raspberry Pi's camera, with a stand-in for picamera2, which exists only there.

Only hardware can show: whether libcamera accepts the configuration, and the order of the colours that
picamera2 documents.
"""

import dataclasses
import sys
import time
import types

import numpy as np
import pytest

from tests.stages.serving.sources.cameras import QUICK, Camera


class Picamera2:
    """A camera that answers 20 frames a second in the size it was configured for."""

    fails: "Exception | None" = None
    log: "list[str]"

    def __init__(self, number):
        if self.fails:
            raise self.fails
        self.log.append(f"open {number}")

    def create_video_configuration(self, main, controls):
        return {"main": main, "controls": controls}

    def configure(self, configuration):
        self.configuration = configuration
        self.log.append(f"{configuration['main']} {configuration['controls']}")

    def start(self):
        self.log.append("start")

    def capture_array(self, name):
        time.sleep(0.01)
        width, height = self.configuration[name]["size"]
        return np.full((height, width, 3), (200, 100, 50), np.uint8)

    def stop(self):
        self.log.append("stop")

    def close(self):
        self.log.append("close")


@pytest.fixture
def picamera2(monkeypatch):
    """The stand-in."""
    made = type("Made", (Picamera2,), {"log": []})
    module = types.ModuleType("picamera2")
    module.Picamera2 = made
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return made


def test_frames_are_read_and_the_camera_is_released(picamera2):
    with Camera("csi:1") as camera:
        state = camera.until_frames(3)
        assert (state["type"], state["size"]) == ("libcamera", (480, 640))
        assert camera.picture[0, 0].tolist() == [200, 100, 50]
    assert picamera2.log == [
        "open 1",
        "{'size': (640, 480), 'format': 'BGR888'} {'FrameRate': 30.0}",
        "start",
        "stop",
        "close",
    ]


def test_the_wanted_size_and_rate_are_configured(picamera2):
    with Camera("libcamera", dataclasses.replace(QUICK, size=(240, 320), fps=10.0)) as camera:
        assert camera.until_frames(1)["size"] == (240, 320)
    assert picamera2.log[1] == "{'size': (320, 240), 'format': 'BGR888'} {'FrameRate': 10.0}"


def test_a_camera_that_is_not_connected_is_tried_again(picamera2):
    picamera2.fails = IndexError("list index out of range")
    with Camera("libcamera") as camera:
        assert "check its cable" in camera.until_status("no_signal")["why"]
        picamera2.fails = None
        assert camera.until_status("live")["status"] == "live"


def test_a_machine_without_picamera2_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with Camera("libcamera") as camera:
        state = camera.until_status("failed")
        assert "sudo apt-get install python3-picamera2" in state["why"]
