"""Cameras that speak RTSP: a small one of the test's own, and GStreamer's server."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.serving.reading.opening import open_source
from tests import services
from tests.stages.media.conftest import corner_picture
from tests.stages.serving.sources.cameras import PATIENT, Camera
from tests.streams import RtspCamera

ROOT = Path(__file__).resolve().parents[4]


def test_a_camera_is_read_and_its_end_is_an_interruption(tmp_path):
    np.save(tmp_path / "a.npy", corner_picture())
    with (
        RtspCamera(tmp_path / "a.npy", frames=40, rate=30) as server,
        Camera(server.address, PATIENT) as camera,
    ):
        state = camera.until_frames(3)
        assert (state["status"], state["size"], state["type"]) == ("live", (48, 64), "rtsp")
        assert np.abs(camera.picture.astype(int) - corner_picture()).mean() < 15
        camera.until(lambda state: state["why"] == "the camera ended the stream")


def test_nobody_listens_and_the_password_is_not_shown(capfd):
    with Camera("rtsp://u:geheim@127.0.0.1:1/") as camera:
        state = camera.until_status("no_signal")
        assert state["why"] == "it cannot be opened: Connection refused"
        assert "geheim" not in f"{state}{camera.reader._source.label}{capfd.readouterr()}"


@pytest.mark.parametrize("text", ["rtsp://", "rtsp://cam:0x/"])
def test_an_invalid_address_is_refused_before_anything_starts(text):
    with pytest.raises(StageError, match="not a valid address"):
        open_source(text)


@pytest.mark.parametrize("path", ["ball", "ball-jpeg"])
def test_a_real_server_is_read(rtsp_server, path):
    with Camera(rtsp_server.address(path), PATIENT) as camera:
        state = camera.until_frames(5)
        assert (state["status"], state["size"], state["dropped"]["damaged"]) == (
            "live",
            (240, 320),
            0,
        )
        state = camera.until_frames(15)
        assert state["captured"] == 20 + state["dropped"]["newer"]


def test_a_reader_that_is_late_gets_the_newest_frame(rtsp_server):
    with Camera(rtsp_server.address("ball"), PATIENT) as camera:
        dropped = camera.until_frames(5)["dropped"]["newer"]
        before_s = time.time()
        time.sleep(1.0)
        state = camera.until_frames(1)
        assert state["dropped"]["newer"] - dropped >= 5
        assert camera.taken[-1].time_s > before_s


def test_a_server_that_stops_is_opened_again_when_it_is_back(rtsp_server):
    with Camera(rtsp_server.address("ball"), PATIENT) as camera:
        camera.until_frames(3)
        rtsp_server.kill()
        assert camera.until_status("no_signal")["why"]
        camera.until(lambda state: "Connection refused" in state["why"])
        rtsp_server.start()
        state = camera.until_status("live")
        assert state["reopened"] == 1
        assert camera.taken[-1].clip != camera.taken[0].clip


def test_a_camera_that_comes_back_with_another_size_is_followed(rtsp_server):
    with Camera(rtsp_server.address("ball"), PATIENT) as camera:
        camera.until_frames(3)
        rtsp_server.kill()
        rtsp_server.width = 160
        rtsp_server.start()
        state = camera.until(lambda state: state["resized"])
        assert (state["size"], state["reopened"]) == ((240, 160), 1)


def test_a_server_that_hangs_is_noticed_and_read_on(rtsp_server):
    with Camera(rtsp_server.address("ball"), PATIENT) as camera:
        camera.until_frames(3)
        rtsp_server.pause()
        state = camera.until_status("no_signal")
        assert state["why"].startswith("no frame for")
        rtsp_server.go_on()
        assert camera.until_status("live")["status"] == "live"


def test_a_server_that_hangs_for_long_is_opened_again(rtsp_server):
    with Camera(rtsp_server.address("ball"), dataclasses.replace(PATIENT, silent_s=1.5)) as camera:
        camera.until_frames(3)
        rtsp_server.pause()
        camera.until(lambda state: state["why"] == "the connection broke: no data for 1.5 s")
        camera.until(lambda state: state["why"].startswith("it cannot be opened"))
        rtsp_server.go_on()
        assert camera.until_status("live")["reopened"] == 1


def test_a_frozen_camera_is_named(rtsp_server):
    options = dataclasses.replace(PATIENT, frozen_s=0.5)
    with Camera(rtsp_server.address("blue"), options) as camera:
        state = camera.until_status("frozen")
        assert state["why"].startswith("the picture has not changed for")
        camera.until(lambda state: state["reopened"] >= 1)


@pytest.mark.rtsp
@pytest.mark.parametrize("user", ["u:p%40ss@", "u:p@ss@"], ids=["quoted", "as it is"])
def test_a_user_and_password_are_sent(user):
    with services.RtspServer(secret=True) as server:
        with Camera(server.address("ball", user), PATIENT) as camera:
            camera.until_frames(1)
        with Camera(server.address("ball", "u:geheim@"), PATIENT) as camera:
            state = camera.until_status("no_signal")
            assert "401 Unauthorized" in state["why"] and "geheim" not in str(state)


WITHOUT_PYAV = """
import sys
sys.modules["av"] = None
import dataclasses
from stages.serving.reading.options import ReadingOptions
from tests.stages.serving.sources.cameras import PATIENT, Camera
for address in sys.argv[1:]:
    with Camera(address, PATIENT) as camera:
        camera.until(lambda state: len(camera.taken) > 3 or state["why"])
        print(camera.state["size"] or camera.state["why"])
"""


def test_opencv_reads_it_where_there_is_no_pyav(rtsp_server):
    """Read a camera, and three that cannot be read; OpenCV itself does not say why."""
    addresses = [rtsp_server.address(path) for path in ("ball", "none")]
    addresses += ["rtsp://u:geheim@127.0.0.1:1/", "rtsp://u:geheim@nobody.invalid/"]
    words = [sys.executable, "-c", WITHOUT_PYAV, *addresses]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    shown, none, refused, unknown = done.stdout.splitlines()
    assert shown == "(240, 320)" and none.endswith("check path, user and password")
    assert refused == "it cannot be opened: Connection refused"
    assert unknown.startswith("it cannot be opened: ") and len(unknown) > 25
    assert "geheim" not in done.stdout + done.stderr
