"""Digests of files and folders, and the cache that reduces the second read to a stat."""

import mmap
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import digest, handles
from engine.digest import DigestCache
from engine.errors import UserError

EMPTY = "file:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def tree(tmp_path):
    """A folder with a file, a file in a folder, and a program; all changed a while ago."""
    root = tmp_path / "tree"
    (root / "inner").mkdir(parents=True)
    (root / "a").write_text("a")
    (root / "inner" / "b").write_text("b")
    (root / "run.sh").write_text("true")
    (root / "run.sh").chmod(0o755)
    time.sleep(0.15)
    return root


@pytest.fixture
def reads(monkeypatch):
    """The files whose bytes are read."""
    seen, read = [], digest.sha256_of
    monkeypatch.setattr(digest, "sha256_of", lambda path: (seen.append(path.name), read(path))[1])
    return seen


def test_a_file_is_known_by_its_sha256(tmp_path):
    (tmp_path / "empty").touch()
    assert digest.of(tmp_path / "empty") == EMPTY


def test_a_tree_is_the_same_wherever_it_lies(tree):
    before = digest.of(tree)
    assert digest.of(tree.rename(tree.with_name("moved"))) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "a").write_text("A"),
        lambda tree: (tree / "a").rename(tree / "c"),
        lambda tree: (tree / "a").chmod(0o755),
        lambda tree: (tree / "new").touch(),
        lambda tree: (tree / "inner" / "b").rename(tree / "b"),
    ],
    ids=["bytes", "name", "executable", "one_more", "folder"],
)
def test_a_tree_with_another(tree, change):
    before = digest.of(tree)
    change(tree)
    assert digest.of(tree) != before


def test_times_do_not_count(tree):
    before = digest.of(tree)
    os.utime(tree / "a", (0, 0))
    assert digest.of(tree) == before


def test_the_second_look_reads_nothing(tree, tmp_path, reads):
    first = DigestCache(tmp_path / "cache").of(tree)
    assert sorted(reads) == ["a", "b", "run.sh"]
    reads.clear()
    assert DigestCache(tmp_path / "cache").of(tree) == first
    assert reads == []


def test_the_cache_and_the_plain_reading_agree(tree, tmp_path):
    assert DigestCache(tmp_path / "cache").of(tree) == digest.of(tree)


def test_only_what_changed_is_read_again(tree, tmp_path, reads):
    cache = DigestCache(tmp_path / "cache")
    cache.of(tree)
    reads.clear()
    (tree / "a").write_text("B")
    assert cache.of(tree) == digest.of(tree)
    assert reads.count("a") == 2 and reads.count("b") == 1  # without the cache everything is read


def test_a_change_that_keeps_size_and_mtime_is_seen(tree, tmp_path):
    cache = DigestCache(tmp_path / "cache")
    before, facts = cache.of(tree), (tree / "a").stat()
    (tree / "a").write_text("z")
    os.utime(tree / "a", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert cache.of(tree) != before


def test_a_file_changed_just_now_is_not_remembered(tree, tmp_path, reads, monkeypatch):
    cache = DigestCache(tmp_path / "cache")
    (tree / "a").write_text("x")
    just_now = (tree / "a").stat().st_ctime_ns + 50_000_000
    monkeypatch.setattr(digest, "time", SimpleNamespace(time_ns=lambda: just_now))
    cache.of(tree / "a")
    cache.of(tree / "a")
    assert reads == ["a", "a"]


def test_a_damaged_cache_is_as_none(tree, tmp_path):
    (tmp_path / "cache").write_bytes(b"no database " * 100)
    assert DigestCache(tmp_path / "cache").of(tree) == digest.of(tree)


def test_a_dangling_link_is_named(tree):
    (tree / "link").symlink_to("nowhere")
    with pytest.raises(UserError, match="link\n  it cannot be read"):
        digest.of(tree)


def test_a_link_to_a_folder_above_is_refused(tree):
    (tree / "inner" / "loop").symlink_to(tree)
    with pytest.raises(UserError, match="a symbolic link leads back to a folder above it"):
        digest.of(tree)


def test_a_pipe_is_refused_and_not_read(tree):
    os.mkfifo(tree / "pipe")
    with pytest.raises(UserError, match="it is neither a file nor a folder"):
        digest.of(tree)


@pytest.mark.parametrize("name", ["with space", "quote'\"", "new\nline", "-dash", "ü", "x" * 255])
def test_any_name_that_the_file_system_takes_is_digested(tmp_path, name):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / name).touch()
    assert digest.of(tmp_path / "t").startswith("tree:")


def test_a_name_that_is_no_utf8_is_digested(tmp_path):
    (tmp_path / "t").mkdir()
    with open(os.fsencode(tmp_path / "t") + b"/\xff", "wb"):
        pass
    assert digest.of(tmp_path / "t").startswith("tree:")


def test_a_folder_with_two_links_a_level_is_entered_once_a_level(tmp_path):
    for level in range(30):
        (tmp_path / "data" / str(level)).mkdir(parents=True)
        for name in ("left", "right") if level else ():
            (tmp_path / "data" / str(level - 1) / name).symlink_to(tmp_path / "data" / str(level))
    (tmp_path / "data" / "29" / "last").touch()
    found = [name for name, _ in digest.files(tmp_path / "data" / "0")]
    assert found == ["left/" * 29 + "last"]
    assert digest.of(tmp_path / "data" / "0").startswith("tree:")


def test_where_a_second_way_to_a_folder_is_counts(tree):
    (tree / "again").symlink_to("inner")
    once = digest.of(tree)
    (tree / "again").rename(tree / "anew")
    assert digest.of(tree) != once


def test_a_folder_is_another_one_than_a_second_way_to_it(tree):
    (tree / "again").symlink_to("inner")
    linked = digest.of(tree)
    (tree / "again").unlink()
    (tree / "again").mkdir()
    assert digest.of(tree) != linked


@pytest.mark.parametrize("name", ["class", "inner/class", "a_first_one"])
def test_an_empty_folder_counts(tree, name):
    before = digest.of(tree)
    (tree / name).mkdir()
    assert digest.of(tree) != before


def test_an_empty_folder_is_another_one_than_an_empty_file_or_another_empty_folder(tree):
    (tree / "e").mkdir()
    (seen := set()).add(digest.of(tree))
    (tree / "e").rename(tree / "f")
    seen.add(digest.of(tree))
    (tree / "f" / "e").mkdir()
    seen.add(digest.of(tree))
    handles.remove(tree / "f")
    (tree / "e").touch()
    seen.add(digest.of(tree))
    assert len(seen) == 4


def test_a_tree_without_empty_folders_and_second_ways_keeps_the_digest_of_earlier_versions(tree):
    sha256s = {name: digest.sha256_of(tree / name) for name in ("a", "inner/b")}
    (tree / "run.sh").unlink()
    assert digest.of(tree) == digest.declared(sha256s)
    assert (
        digest.declared({"a": "0" * 64})
        == "tree:5aaed72b8b12895a05f45bcd0e97273798062320946c77091e9f14db6b686eef"
    )


def test_a_tree_whose_paths_are_longer_than_the_kernel_takes_is_refused(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    with pytest.raises(UserError, match="it cannot be read: File name too long"):
        digest.of(tmp_path / "d")
    assert handles.remove(tmp_path / "d")


def test_a_tree_of_a_thousand_levels_is_digested(tmp_path):
    for level in range(1, 1001):
        (tmp_path / "/".join("d" * level)).mkdir()
    assert digest.of(tmp_path).startswith("tree:")
    assert handles.remove(tmp_path / "d")  # pytest, which removes old folders later, cannot


@pytest.mark.parametrize(
    "path", ["/proc/kmsg", "/proc/version", "/proc", "/sys", "/dev/zero", "/dev"]
)
def test_what_never_ends_is_refused_without_reading_it(path):
    with pytest.raises(UserError, match=r"neither a file nor a folder|file system of the kernel"):
        digest.of(Path(path))


def test_a_file_that_became_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="it is neither a file nor a folder"):
        digest.sha256_of(tmp_path / "pipe")


def test_data_that_is_changed_through_a_mapping_is_read_again(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"one")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:] = b"two"
        old = time.time_ns() - 10**10
        os.utime(path, ns=(old, old))
        time.sleep(0.2)  # longer than a file must have been unchanged
        before = DigestCache(tmp_path / "digests.sqlite").of(path)
        memory[:] = b"six"  # the page is already dirty: the file's times do not change
        assert DigestCache(tmp_path / "digests.sqlite").of(path) == digest.of(path) != before
