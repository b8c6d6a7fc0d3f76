"""Handles: links are not followed, nothing blocks, and any depth works."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine import handles

LEVELS = 3000


@pytest.fixture
def deep(tmp_path):
    """A folder with 3,000 levels and a file in the last one; its path is longer than the kernel allows."""
    top = tmp_path / "deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(LEVELS):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    yield top
    assert handles.remove(top)


def _walked(folder) -> list[str]:
    with handles.folder(folder) as root:
        return [entry.path for entry in handles.walk(root)]


def test_a_walk_gives_each_folder_after_what_it_holds(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/2", "a/b/1", "a/0", "z"):
        (tmp_path / name).touch()
    assert _walked(tmp_path) == ["a/0", "a/b/1", "a/b/2", "a/b", "a", "z"]


def test_a_walk_does_not_enter_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").touch()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to("../there")
    assert _walked(tmp_path / "here") == ["link"]


def test_a_walk_goes_as_deep_as_a_tree_is(deep):
    paths = _walked(deep)
    assert len(paths) == LEVELS + 1 and paths[0] == "d/" * LEVELS + "last"


def test_a_walk_keeps_few_files_open(deep):
    before = len(os.listdir("/proc/self/fd"))
    with handles.folder(deep) as root:
        for _ in handles.walk(root):
            assert len(os.listdir("/proc/self/fd")) - before < 5
            break
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_moved_while_a_walk_is_in_it_ends_the_walk(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "x").touch()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").touch()
    with (
        handles.folder(tmp_path / "tree") as root,
        pytest.raises(OSError, match="moved while it was being read"),
    ):
        for entry in handles.walk(root):
            assert entry.name == "x"  # and never what is in `private`
            (tmp_path / "tree" / "a").rename(tmp_path / "private" / "a")


@pytest.mark.parametrize("unlock", [False, True])
def test_a_folder_of_mode_0_is_entered_where_that_is_asked_for(tmp_path, unlock):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    (tmp_path / "a").chmod(0)
    with handles.folder(tmp_path) as root:
        if unlock or os.getuid() == 0:
            assert [entry.path for entry in handles.walk(root, unlock=unlock)] == ["a/x", "a"]
        else:
            with pytest.raises(PermissionError):
                list(handles.walk(root))


def test_removing_follows_no_link_and_changes_no_mode_behind_one(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o500)
    tree = tmp_path / "tree"
    (tree / "locked").mkdir(parents=True)
    (tree / "locked" / "link").symlink_to(private)
    (tree / "locked").chmod(0)
    assert handles.remove(tree) and not tree.exists()
    assert private.stat().st_mode & 0o777 == 0o500


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.touch(),
        lambda path: path.symlink_to("/"),
        lambda path: os.mkfifo(path),
        lambda path: None,
    ],
)
def test_anything_is_removed_and_what_is_not_there_is_gone(tmp_path, make):
    make(tmp_path / "x")
    assert handles.remove(tmp_path / "x") and not os.path.lexists(tmp_path / "x")


def test_a_regular_file_is_read_up_to_a_limit(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert handles.read(tmp_path / "x", 5) == b"12345"
    with pytest.raises(handles.NotAFile, match="more than 4 bytes"):
        handles.read(tmp_path / "x", 4)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_RDWR])
@pytest.mark.parametrize("kind", ["fifo", "link", "dangling", "folder", "device"])
def test_what_is_no_regular_file_is_not_opened_and_nothing_waits(tmp_path, kind, flags):
    (tmp_path / "there").touch()
    path = tmp_path / "x"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "link" | "dangling":
            path.symlink_to("there" if kind == "link" else "nowhere")
        case "folder":
            path.mkdir()
        case "device":
            path = type(path)("/dev/null")
    found = []
    thread = threading.Thread(target=lambda: found.append(_refusal(path, flags)), daemon=True)
    thread.start()
    thread.join(60)
    assert found and isinstance(found[0], OSError)
    assert not (tmp_path / "nowhere").exists()


def _refusal(path, flags):
    try:
        return handles.open_file(path, flags)
    except OSError as error:
        return error


def test_appending_makes_the_file_and_goes_on_with_it(tmp_path):
    for words in (b"one", b"two"):
        handles.append(tmp_path / "x", words)
    assert (tmp_path / "x").read_bytes() == b"onetwo"


def test_a_folder_may_be_made_by_several_threads_at_once(tmp_path):
    paths = [tmp_path / str(n // 8) for n in range(800)]  # eight times each
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(handles.make_folder, paths))
    assert all(path.is_dir() for path in paths)


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_what_has_the_name_of_a_folder_to_be_made_is_removed(tmp_path, kind):
    path, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(elsewhere)
        if kind == "link":
            elsewhere.mkdir()
    handles.make_folder(path)
    assert path.is_dir() and not path.is_symlink()
