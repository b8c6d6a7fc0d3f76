"""Videos with any container, rotation, pixel aspect and frame rate, complete or damaged, with PyAV and
with OpenCV.
"""

import gc
import random
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.media.frames import Video
from stages.media.unreadable import Unreadable
from stages.media.video import open_video

from .conftest import SIZE, corner_picture

VARYING_S = [0.0, 0.033, 0.067, 0.5, 1.3, 1.7]


@pytest.fixture(params=["pyav", "opencv"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Video]:
    """Return open_video with either library."""
    pytest.importorskip("av", reason="PyAV is not installed")
    if request.param == "opencv":
        without_pyav(monkeypatch)
    return open_video


def without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("av", "stages.media.video_pyav", "stages.media.h264"):
        monkeypatch.setitem(sys.modules, name, None)


def assert_alike(picture: np.ndarray, expected: np.ndarray) -> None:
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_frames_are_upright(
    suffix: str,
    degrees: int,
    mirrored: bool,
    make_video: Callable[..., Path],
    read: Callable[..., Video],
    tmp_path: Path,
) -> None:
    """The same as with ffmpeg: the tag rotates counterclockwise, then mirrors."""
    path = make_video(tmp_path / f"a{suffix}", degrees=degrees, mirrored=mirrored)
    turned = np.rot90(corner_picture(), degrees // 90)
    with read(path) as video:
        frames = list(video)
    assert len(frames) == 3
    for frame in (frames[0], frames[2]):
        assert_alike(frame.picture, turned[:, ::-1] if mirrored else turned)


def test_frames_that_were_read_are_released_without_the_collector_of_cycles(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    """Frames that refer to themselves stayed for minutes: 500 MB at 640 x 480."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    path = make_video(tmp_path / "a.mp4", [n / 25 for n in range(20)], [corner_picture()] * 20)
    gc.collect()
    gc.disable()
    try:
        with open_video(path) as video:
            for decoded in video.decoded():
                decoded.write(Slot())
            del decoded
            left = [one for one in gc.get_objects() if isinstance(one, av.VideoFrame)]
    finally:
        gc.enable()
    assert video.read == 20
    assert len(left) <= 2  # of the first, the orientation was read


class Slot:
    """A buffer as the server has it, with a value that no frame contains; `asked` is each size."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.memory = np.full(1 << 20, 7, np.uint8)

    def __call__(self, height: int, width: int) -> np.ndarray:
        self.asked.append((height, width))
        return self.memory[: 3 * height * width].reshape(height, width, 3)

    @property
    def picture(self) -> np.ndarray:
        return self(*self.asked[-1])


@pytest.mark.parametrize("degrees", [0, 90])
@pytest.mark.parametrize("aspect", [1, 2])
@pytest.mark.parametrize("size", [(48, 64), (50, 66)], ids=["even rows", "padded rows"])
def test_a_frame_is_written_into_a_buffer_as_it_is_shown(
    degrees: int,
    aspect: int,
    size: tuple[int, int],
    make_video: Callable[..., Path],
    read: Callable[..., Video],
    tmp_path: Path,
) -> None:
    pictures = [corner_picture(*size)] * 2
    path = make_video(
        tmp_path / "a.mp4", [0, 0.1], pictures, degrees=degrees, aspect=Fraction(aspect)
    )
    with read(path) as video:
        for decoded in video.decoded():
            slot = Slot()
            written = decoded.write(slot)
            assert slot.asked == [written]
            assert (slot.picture == decoded.picture()).all()
            assert slot.memory[3 * written[0] * written[1]] == 7


@pytest.mark.parametrize("degrees", [0, 90])
@pytest.mark.parametrize(
    ("at_least", "divisor"), [(None, 1), (25, 1), (24, 2), (13, 2), (12, 4), (6, 8), (1, 8)]
)
def test_a_frame_is_reduced_as_far_as_enough_pixels_are_left(
    degrees: int,
    at_least: int | None,
    divisor: int,
    make_video: Callable[..., Path],
    read: Callable[..., Video],
    tmp_path: Path,
) -> None:
    path = make_video(tmp_path / "a.mp4", [0], [corner_picture()], degrees=degrees)
    with read(path) as video:
        for decoded in video.decoded():
            slot = Slot()
            written = decoded.write(slot, at_least)
            full = decoded.picture()
            shape = (full.shape[0] // divisor, divisor, full.shape[1] // divisor, divisor, 3)
            assert_alike(slot.picture, full.reshape(shape).mean((1, 3)))
            assert written == (shape[0], shape[2])


def test_a_frame_can_be_converted_after_the_next_one_was_decoded(
    make_video: Callable[..., Path], read: Callable[..., Video], tmp_path: Path
) -> None:
    pictures = [np.full((*SIZE, 3), grey, np.uint8) for grey in (60, 120, 180)]
    path = make_video(tmp_path / "a.mp4", pictures=pictures)
    with read(path) as video:
        frames = list(video.decoded())
        greys = [float(decoded.picture().mean()) for decoded in frames]
    assert greys == pytest.approx([60, 120, 180], abs=6)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_pixels_that_are_not_square_become_so(
    suffix: str, make_video: Callable[..., Path], read: Callable[..., Video], tmp_path: Path
) -> None:
    path = make_video(tmp_path / f"a{suffix}", aspect=Fraction(2))
    with read(path) as video:
        shapes = {frame.picture.shape for frame in video}
    assert shapes == {(SIZE[0], 2 * SIZE[1], 3)}


def test_wide_pixels_of_a_turned_video_become_high(
    make_video: Callable[..., Path], read: Callable[..., Video], tmp_path: Path
) -> None:
    with read(make_video(tmp_path / "a.mp4", aspect=Fraction(2), degrees=90)) as video:
        assert next(iter(video)).picture.shape == (2 * SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_each_frame_has_its_own_time(
    suffix: str, make_video: Callable[..., Path], read: Callable[..., Video], tmp_path: Path
) -> None:
    with read(make_video(tmp_path / f"a{suffix}", VARYING_S)) as video:
        times_s = [frame.time_s for frame in video]
    assert times_s == pytest.approx(VARYING_S, abs=0.002)


def test_a_constant_rate_is_reported(
    make_video: Callable[..., Path], read: Callable[..., Video], tmp_path: Path
) -> None:
    with read(make_video(tmp_path / "a.mp4", [0.0, 0.1, 0.2, 0.3])) as video:
        assert video.frame_rate == pytest.approx(10)


@pytest.fixture(scope="module")
def noise() -> list[np.ndarray]:
    """60 incompressible frames, so that a gap in the file affects few of them."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (*SIZE, 3), np.uint8) for _ in range(60)]


@pytest.fixture
def whole(make_video: Callable[..., Path], noise: list[np.ndarray], tmp_path: Path) -> Path:
    return make_video(tmp_path / "whole.mp4", [n / 10 for n in range(60)], noise)


def test_a_whole_video_lacks_nothing(whole: Path, read: Callable[..., Video]) -> None:
    with read(whole) as video:
        assert len(list(video)) == 60
        assert (video.lost, video.damaged, video.faults()) == (0, 0, "")


def test_a_damaged_video_is_read_on_after_the_damage(
    whole: Path, read: Callable[..., Video], tmp_path: Path
) -> None:
    content = bytearray(whole.read_bytes())
    start, length = len(content) // 2, len(content) // 10
    content[start : start + length] = random.Random(1).randbytes(length)
    (tmp_path / "hole.mp4").write_bytes(content)
    with read(tmp_path / "hole.mp4") as video:
        frames = list(video)
        assert len(frames) + video.lost == 60
        assert 1 <= video.lost <= 10
        assert f"{video.lost} of 60 frames cannot be decoded" in video.faults()
    assert frames[-1].time_s == pytest.approx(5.9)


def test_what_a_truncated_video_lacks_is_counted(
    whole: Path, read: Callable[..., Video], tmp_path: Path
) -> None:
    content = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    with read(tmp_path / "cut.mp4") as video:
        frames = list(video)
        assert 20 <= len(frames) <= 40
        assert video.lost == 60 - len(frames)


def test_a_truncated_matroska_is_measured_by_its_length(
    make_video: Callable[..., Path], noise: list[np.ndarray], tmp_path: Path
) -> None:
    path = make_video(tmp_path / "whole.mkv", [n / 10 for n in range(60)], noise)
    (tmp_path / "cut.mkv").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(tmp_path / "cut.mkv") as video:
        read = len(list(video))
        assert 20 <= read <= 40
        assert video.lost == pytest.approx(60 - read, abs=1)


@pytest.mark.parametrize("content", [b"", b"0" * 500])
def test_what_is_no_video_is_unreadable(
    content: bytes, read: Callable[..., Video], tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(Unreadable, match="not a readable video"):
        read(tmp_path / "a.mp4")


def test_a_playlist_that_names_another_file_is_no_video(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {whole.name}\n")
    with pytest.raises(Unreadable, match="not a readable video"):
        open_video(tmp_path / "list.mp4")


def test_a_video_of_huge_frames_is_refused(
    make_video: Callable[..., Path],
    read: Callable[..., Video],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = make_video(tmp_path / "a.mp4")
    monkeypatch.setattr("stages.media.unreadable.MAX_PIXELS", 3000)
    with pytest.raises(Unreadable, match="64 x 48 pixels"):
        read(path)


def test_without_a_decoder_both_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_pyav(monkeypatch)
    for name in ("cv2", "stages.media.video_opencv"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StageError, match="needs PyAV"):
        open_video(tmp_path / "a.mp4")


def test_frames_are_freed_without_the_garbage_collector(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    """Thousands of them, with threads of their own, would wait for it."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    path = make_video(tmp_path / "a.mp4", [0.1 * at for at in range(20)], [corner_picture()] * 20)
    slot = Slot()
    gc.collect()
    gc.disable()
    try:
        with open_video(path) as video:
            for decoded in video.decoded():
                decoded.write(slot)
                decoded.picture()
        kept = [one for one in gc.get_objects() if isinstance(one, av.VideoFrame)]
    finally:
        gc.enable()
    assert len(slot.asked) == 20
    assert len(kept) <= 2
