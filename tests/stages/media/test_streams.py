"""Streams: read to their end, with their own times, and reports of interrupted ones."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stages.media.frames import Frame
from stages.media.unreadable import Unreadable
from stages.media.video import open_video
from tests.stages.media.conftest import corner_picture
from tests.streams import HttpServer, RtspCamera, mpeg_ts

pytest.importorskip("av", reason="PyAV is not installed")
from stages.media import video_pyav

PICTURES = [corner_picture()] * 6


def read(address: str) -> tuple[list[float], str]:
    """Return the times of all frames, and the report of lost ones."""
    with open_video(address) as video:
        times_s = [frame.time_s for frame in video]
        return times_s, video.faults()


@pytest.fixture
def noisy(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """A video with 60 frames and two megabytes, more than is read ahead."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(60)]
    return make_video(tmp_path / "a.mp4", [at / 10 for at in range(60)], pictures)


def test_a_file_on_a_web_server_is_read_as_it_is_here(noisy: Path) -> None:
    with HttpServer(noisy) as server:
        times_s, faults = read(server.address("video"))
    assert (times_s, faults) == (pytest.approx([at / 10 for at in range(60)]), "")


def test_what_came_before_the_connection_broke_is_read_and_the_break_is_named(noisy: Path) -> None:
    with HttpServer(noisy) as server:
        times_s, faults = read(server.address("cut"))
    assert 5 < len(times_s) < 55
    assert f"the connection broke after {times_s[-1]:.1f} s (Input/output error)" in faults


def test_pictures_of_a_camera_have_the_times_at_which_they_came() -> None:
    with (
        HttpServer(pictures=PICTURES, rate=5) as server,
        open_video(server.address("camera")) as video,
    ):
        found = [(at_s, frame.time_s) for at_s, frame in _clocked(iter(video))]
    (first_from_s, first_to_s), _ = found[0]
    for (from_s, to_s), time_s in found[1:]:
        assert from_s - first_to_s <= time_s <= to_s - first_from_s
    assert (len(found), video.faults()) == (6, "")  # its end is not a fault


def _clocked(frames: Iterator[Frame]) -> Iterator[tuple[tuple[float, float], Frame]]:
    """Yield each frame with the times before and after the wait for it."""
    before = time.monotonic()
    for frame in frames:
        yield (before, time.monotonic()), frame
        before = time.monotonic()


def test_a_camera_that_resets_the_connection_is_said_to() -> None:
    with HttpServer(pictures=PICTURES) as server:
        times_s, faults = read(server.address("reset"))
    assert len(times_s) == 6
    assert faults.endswith("s (Connection reset by peer)")


def test_a_camera_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_pyav, "SILENT_S", 1.0)
    with HttpServer(pictures=PICTURES) as server:
        times_s, faults = read(server.address("silent"))
    assert len(times_s) == 6
    assert faults.endswith("s (no data for 1 s)")


def test_mpeg_ts_over_tcp_is_read_to_its_end(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", corner_picture())
    address, process = mpeg_ts(tmp_path / "a.npy", frames=20, rate=20)
    times_s, faults = read(address)
    assert (times_s, faults) == (pytest.approx([at / 20 for at in range(20)]), "")
    assert process.wait() == 0


def test_an_rtsp_camera_is_read_over_its_own_connection(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", corner_picture())
    with RtspCamera(tmp_path / "a.npy", frames=30, rate=20) as camera:
        times_s, faults = read(camera.address)
    assert camera.asked == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]  # SETUP once: TCP comes first
    assert (len(times_s) > 20, faults) == (True, "")
    assert times_s == sorted(set(times_s))
    assert times_s[-1] == pytest.approx((len(times_s) - 1) / 20, abs=0.11)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/", "it cannot be opened: Connection refused"),
        ("nothing://127.0.0.1/", "it cannot be opened: Protocol not found"),
        (999, "it cannot be opened: No such file or directory"),
    ],
)
def test_what_cannot_be_opened_says_why(address: "str | int", reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        open_video(address)
