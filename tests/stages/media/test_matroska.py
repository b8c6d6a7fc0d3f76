"""The angles of a Matroska file, read from its header."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stages.media import matroska


def test_a_mirrored_and_turned_video_has_both_angles(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_video(tmp_path / "a.mkv", degrees=90, mirrored=True)
    assert matroska.yaw_and_roll(path) == (180, -90)


def test_an_upright_video_has_angles_of_0(make_video: Callable[..., Path], tmp_path: Path) -> None:
    assert matroska.yaw_and_roll(make_video(tmp_path / "a.mkv")) == (0, 0)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 8, b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x81"]
)
def test_other_files_have_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(content)
    assert matroska.yaw_and_roll(tmp_path / "a.mkv") is None
