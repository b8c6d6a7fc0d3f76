"""Paths that a user wrote."""

from pathlib import Path

import pytest

from stages.serving import paths

LONG = "a" * 5000


def test_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch()
    assert paths.is_file(str(file)) and not paths.is_folder(str(file))
    assert paths.is_folder(str(tmp_path)) and not paths.is_file(str(tmp_path))


@pytest.mark.parametrize("text", ["", LONG, "a\0b", "/absent/x"])
def test_what_is_no_path_is_neither(text: str) -> None:
    assert not paths.is_file(text) and not paths.is_folder(text)
    assert paths.obstacle(text) == ""


def test_a_closed_folder_is_named_as_the_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)  # root may look everywhere
    assert not paths.is_file("/home/other/video.mp4")
    assert paths.obstacle("/home/other/video.mp4") == "Permission denied"


def test_the_home_of_an_unknown_user_is_a_name() -> None:
    assert paths.absolute("~") == Path.home()
    assert paths.absolute("~nobody-has-this-name/x") == Path.cwd() / "~nobody-has-this-name/x"
