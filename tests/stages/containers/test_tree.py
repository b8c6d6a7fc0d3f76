"""The tree that becomes a layer: the paths of entries, and that nothing leaves it."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stage import StageError
from stages.containers._tree import FOLDER, Tree, epoch_of, file, link, members, read_tree
from tests.stages.containers.packages import EPOCH, tar


def written(tree: Tree) -> list[tarfile.TarInfo]:
    """Return what the tree's tar has."""
    out = io.BytesIO()
    tree.write(out, EPOCH)
    return tarfile.open(fileobj=io.BytesIO(out.getvalue())).getmembers()


def test_every_file_belongs_to_root_has_one_time_and_no_set_id_bit() -> None:
    tree = Tree()
    for name, entry in members(io.BytesIO(tar({"./usr/bin/su": b"x", "./tmp": None}))):
        tree.add(name, entry)
    found = written(tree)
    assert [info.name for info in found] == ["tmp", "usr", "usr/bin", "usr/bin/su"]
    assert {(info.uid, info.gid, info.uname, info.mtime) for info in found} == {(0, 0, "", EPOCH)}
    assert not any(info.mode & 0o6000 for info in found)


def test_the_same_entries_in_another_order_are_the_same_bytes() -> None:
    names = ["b/c", "a", "b/a", "z/z/z"]
    one, other = Tree(), Tree()
    for name in names:
        one.add(name, file(name.encode()))
    for name in reversed(names):
        other.add(name, file(name.encode()))
    first, second = io.BytesIO(), io.BytesIO()
    one.write(first, EPOCH)
    other.write(second, EPOCH)
    assert first.getvalue() == second.getvalue()


def test_a_file_below_a_linked_folder_lands_where_the_link_leads() -> None:
    tree = Tree()
    tree.add("usr/lib", FOLDER)
    tree.add("lib", link("usr/lib"))
    assert tree.add("lib/x.so", file(b"x")) == "usr/lib/x.so"
    assert tree.add("lib", FOLDER) == "lib"
    assert tree.entries["lib"].link == "usr/lib"


def test_links_of_the_layer_below_are_followed_too() -> None:
    base = Tree()
    base.add("usr/lib", FOLDER)
    base.add("lib", link("/usr/lib"))
    assert Tree(base).add("lib/x.so", file(b"x")) == "usr/lib/x.so"


def test_the_folders_on_the_way_are_in_the_layer_with_the_mode_they_had_below() -> None:
    base = Tree()
    base.add("root", members_of({"root": None}))
    tree = Tree(base)
    tree.add("root/x", file(b""))
    assert [(info.name, info.mode) for info in written(tree)] == [
        ("root", 0o755),
        ("root/x", 0o644),
    ]


def members_of(what: dict[str, bytes | str | None]) -> object:
    """Return the only entry of a tar."""
    ((_, entry),) = members(io.BytesIO(tar(what)))
    return entry


def test_hard_links_stay_one_file() -> None:
    tree = Tree()
    for name, entry in members(io.BytesIO(tar({"./z": b"12"}, links={"./a": "./z"}))):
        tree.add(name, entry)
    assert [(info.name, info.type, info.linkname) for info in written(tree)] == [
        ("a", tarfile.REGTYPE, ""),
        ("z", tarfile.LNKTYPE, "a"),
    ]


@pytest.mark.parametrize("name", ["../etc/passwd", "usr/../../x", "a/\0"])
def test_a_path_that_leaves_the_tree_is_refused(name: str) -> None:
    with pytest.raises(StageError, match="leaves its package"):
        Tree().add(name, file(b""))


def test_a_link_that_leads_above_the_root_ends_at_the_root() -> None:
    tree = Tree()
    tree.add("a", link("../../../../etc"))
    assert tree.add("a/passwd", file(b"")) == "etc/passwd"


def test_links_in_a_circle_are_refused() -> None:
    tree = Tree()
    tree.add("a", link("b"))
    tree.add("b", link("a"))
    with pytest.raises(StageError, match="cycle of links"):
        tree.add("a/x", file(b""))


def test_a_file_in_the_place_of_a_folder_is_refused() -> None:
    tree = Tree()
    tree.add("a", file(b""))
    with pytest.raises(StageError, match="'a', which is not a folder"):
        tree.add("a/x", file(b""))


def test_a_hard_link_to_nothing_is_refused() -> None:
    with pytest.raises(StageError, match="hard link to 'nowhere'"):
        list(members(io.BytesIO(tar({}, links={"a": "nowhere"}))))


def test_whiteouts_of_an_image_remove_what_they_name() -> None:
    tree = Tree()
    tree.overlay(io.BytesIO(tar({"a/x": b"1", "a/y": b"2", "b/x": b"3", "c": b"4"}, "w:gz")))
    tree.overlay(
        io.BytesIO(tar({"a/.wh.x": b"", "b/.wh..wh..opq": b"", "b/z": b"5", ".wh.c": b""}, "w:gz"))
    )
    assert sorted(name for name, entry in tree.entries.items() if entry is not FOLDER) == [
        "a/y",
        "b/z",
    ]


def test_a_tree_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    tree = Tree()
    tree.add("bin", link("usr/bin"))
    tree.add("usr/bin/x", file(b"12345", 0o755))
    tree.entries["usr/bin/y"] = tree.entries["usr/bin/x"]
    path = tmp_path / "base.tar"
    with path.open("wb") as out:
        tree.write(out, EPOCH)
    again = read_tree(path)
    assert (again.read("bin/y"), again.read("usr/bin/x"), again.read("nothing")) == (
        b"12345",
        b"12345",
        None,
    )
    assert epoch_of(path) == EPOCH


@pytest.mark.parametrize(
    "data", [b"", b"no tar at all" * 100, os.urandom(2048)], ids=["empty", "text", "noise"]
)
def test_a_base_that_is_no_tar_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "base.tar"
    path.write_bytes(data)
    with pytest.raises(StageError, match=r"not the tar of a root file system|is empty"):
        epoch_of(path)
        read_tree(path)


GOOD = tar({"./usr/bin/x": b"x" * 300, "./bin": "usr/bin"})


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_damaged_archive_gives_a_sentence_or_a_whole_tree(place: int, value: int) -> None:
    damaged = bytearray(GOOD)
    damaged[place] = value
    try:
        for name, entry in members(io.BytesIO(bytes(damaged))):
            Tree().add(name, entry)
    except StageError as error:
        assert "unpacked" in str(error) or "leaves" in str(error)
