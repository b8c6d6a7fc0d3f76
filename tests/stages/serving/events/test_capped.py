"""Folders with a limit: what is removed, what is refused, full disks, names."""

import os
from pathlib import Path

import pytest

from stages.serving.events.capped import CappedFolder, safe, stamped


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path, said: list[str]) -> CappedFolder:
    return CappedFolder(tmp_path / "events", 0.001, ".jpg", said.append)


def test_a_file_is_stored_whole(folder: CappedFolder) -> None:
    path = folder.write("a.jpg", b"x" * 10)
    assert path and path.read_bytes() == b"x" * 10
    assert [one.name for one in folder.folder.iterdir()] == ["a.jpg"]


def test_the_oldest_files_make_room(folder: CappedFolder) -> None:
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        folder.write(name, b"x" * 400)
    assert folder.names() == ["a.jpg", "c.jpg"]
    assert folder.size_bytes == 800


def test_what_made_room_is_named(folder: CappedFolder) -> None:
    gone: list[str] = []
    folder.removed = gone.append
    for name in ("b.jpg", "a.jpg", "c.jpg", "d.jpg"):
        folder.write(name, b"x" * 400)
    assert gone == ["b.jpg", "a.jpg"]


def test_files_of_an_earlier_start_count(folder: CappedFolder, said: list[str]) -> None:
    old = folder.write("old.jpg", b"x" * 900)
    assert old
    os.utime(old, (1, 1))
    again = CappedFolder(folder.folder, 0.001, ".jpg", said.append)
    again.write("new.jpg", b"x" * 500)
    assert again.names() == ["new.jpg"] and not old.exists()


def test_other_suffixes_are_not_touched(folder: CappedFolder) -> None:
    folder.folder.mkdir()
    clip = folder.folder / "a.mp4"
    clip.write_bytes(b"x" * 5000)
    folder.write("a.jpg", b"x" * 900)
    assert clip.exists() and folder.names() == ["a.jpg"]


def test_a_folder_in_which_nothing_can_be_written_is_reported_once(
    folder: CappedFolder, said: list[str]
) -> None:
    """Also if incomplete files cannot be removed, as on a disk that was mounted again read-only."""
    folder.folder.touch()  # a file where the folder should be
    assert folder.write("a.jpg", b"x") is None
    assert folder.write("b.jpg", b"x") is None
    assert len(said) == 1 and "the server continues without" in said[0]
    folder.folder.unlink()
    assert folder.write("c.jpg", b"x")
    assert len(said) == 2 and "again" in said[1]


def test_a_file_larger_than_the_limit_is_refused(folder: CappedFolder, said: list[str]) -> None:
    folder.write("a.jpg", b"x" * 10)
    assert folder.write("b.jpg", b"x" * 1001) is None
    assert folder.names() == ["a.jpg"] and "limit" in said[0]


def test_a_folder_that_keeps_old_files_refuses_new_ones(tmp_path: Path, said: list[str]) -> None:
    folder = CappedFolder(tmp_path, 0.001, ".jpg", said.append, keeps_old=True)
    assert folder.write("x/a.jpg", b"x" * 900)
    assert folder.write("x/b.jpg", b"x" * 900) is None
    assert folder.names() == ["x/a.jpg"] and "limit" in folder.failure


def test_a_full_disk_is_reported_once_and_so_is_its_end(
    folder: CappedFolder, said: list[str]
) -> None:
    folder.folder.mkdir()
    assert folder.names() == []
    for name in ("a.jpg", "b.jpg"):
        (folder.folder / f".{name}.part").symlink_to("/dev/full")
        assert folder.write(name, b"x" * 10) is None
    assert said == [
        f"cannot store files in {folder.folder}: No space left on device; the server continues without"
    ]
    assert folder.write("c.jpg", b"x" * 10)
    assert said[1:] == [f"files can be stored in {folder.folder} again"]
    assert [one.name for one in folder.folder.iterdir()] == ["c.jpg"]


def test_incomplete_files_of_an_earlier_start_are_removed(folder: CappedFolder) -> None:
    folder.folder.mkdir()
    (folder.folder / ".a.jpg.part").write_bytes(b"x")
    folder.write("b.jpg", b"x")
    assert [one.name for one in folder.folder.iterdir()] == ["b.jpg"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("../../etc", "etc"), ("a b/c", "a-b-c"), ("", "x"), ("Tür", "T-r"), ("x" * 99, "x" * 40)],
)
def test_any_text_becomes_a_safe_name(text: str, name: str) -> None:
    assert safe(text) == name
    assert stamped(0, text).endswith(f"-{name}")
