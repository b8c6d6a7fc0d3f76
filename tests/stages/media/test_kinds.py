"""Which files are pictures and videos, and their order."""

from pathlib import Path

from stages.media.kinds import is_picture, is_video, visible


def test_numbers_in_names_sort_by_their_value_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    for name in ("frame10.png", "frame9.png", "Frame1.png", ".hidden.png", "__MACOSX"):
        (tmp_path / name).touch()
    names = [path.name for path in visible(tmp_path)]
    assert names == ["Frame1.png", "frame9.png", "frame10.png"]


def test_a_suffix_of_any_case_tells_the_kind() -> None:
    assert is_picture(Path("a.JPG")) and is_picture(Path("a.tiff")) and not is_picture(Path("a"))
    assert is_video(Path("a.MOV")) and not is_video(Path("a.csv"))
