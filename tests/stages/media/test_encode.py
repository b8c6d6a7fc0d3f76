"""Annotated videos: H.264 for browsers, each frame with its own time."""

import sys
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.media.encode import MPEG4_NOTE, write_video
from stages.media.frames import Frame
from stages.media.video import open_video

from .conftest import corner_picture

TIMES_S = [0.0, 0.033, 0.067, 0.5, 1.3, 1.7]


@pytest.fixture
def frames() -> list[Frame]:
    """Six frames with odd side lengths, at varying times."""
    return [Frame(corner_picture(49, 65), time_s) for time_s in TIMES_S]


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_a_video_is_h264_that_browsers_and_phones_play(frames: list[Frame], tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    assert write_video(tmp_path / "folder/a.mp4", frames) == ""
    with av.open(str(tmp_path / "folder/a.mp4")) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ("h264", "yuv420p", 66, 50)
    content = (tmp_path / "folder/a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(
        b"mdat"
    )  # it plays before it is completely loaded


def test_frames_keep_their_times_and_the_last_is_within_the_length(
    frames: list[Frame], tmp_path: Path
) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    write_video(tmp_path / "a.mp4", frames)
    with open_video(tmp_path / "a.mp4") as video:
        assert [frame.time_s for frame in video] == pytest.approx(TIMES_S, abs=0.001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / av.time_base > TIMES_S[-1]


def test_colours_are_kept(frames: list[Frame], tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    write_video(tmp_path / "a.mp4", frames)
    with open_video(tmp_path / "a.mp4") as video:
        picture = next(iter(video)).picture[:49, :65]
    for y, x in ((12, 16), (36, 16), (12, 48)):
        assert np.abs(picture[y, x].astype(int) - frames[0].picture[y, x]).max() < 10


def test_frames_of_another_size_are_scaled_to_the_first(
    frames: list[Frame], tmp_path: Path
) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    write_video(tmp_path / "a.mp4", [*frames, Frame(corner_picture(90, 120), 2.0)])
    with open_video(tmp_path / "a.mp4") as video:
        assert {frame.picture.shape for frame in video} == {(50, 66, 3)}


def test_without_pyav_the_note_says_whether_browsers_play_the_video(
    frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's OpenCV has an encoder for H.264, that of PyPI has none."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with monkeypatch.context() as patch:
        without(patch, "av", "stages.media.h264", "stages.media.video_pyav")
        note = write_video(tmp_path / "a.mp4", frames, 10.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].frames == len(frames)
        codec = container.streams.video[0].codec_context.name
    assert (codec, note) in {("h264", ""), ("mpeg4", MPEG4_NOTE)}


def test_without_an_encoder_both_are_named(
    frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "av", "stages.media.h264", "cv2")
    with pytest.raises(StageError, match="needs PyAV"):
        write_video(tmp_path / "a.mp4", frames)
