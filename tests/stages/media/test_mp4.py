"""The display matrix, read from the boxes of an MP4."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stages.media import mp4, orientation


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_matrix_of_the_video_track_is_found(
    suffix: str, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    matrix = mp4.display_matrix(make_video(tmp_path / f"a{suffix}", degrees=90))
    assert matrix is not None
    assert orientation.of_matrix(matrix) == orientation.of_clockwise_degrees(-90)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"\x00\x00\x00\x00moov",
        b"\x00\x00\x00\x01moov\x00",
        b"\x00\x00\x00\x10moov" + b"\xff" * 8,
    ],
)
def test_other_files_have_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert mp4.display_matrix(tmp_path / "a.mp4") is None


def test_a_file_is_whole_if_its_boxes_end_within_it(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_video(tmp_path / "a.mp4")
    assert mp4.is_whole(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert not mp4.is_whole(path)
    path.write_bytes(b"RIFF")
    assert not mp4.is_whole(path)
