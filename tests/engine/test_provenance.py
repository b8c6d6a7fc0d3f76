"""The provenance that a run records."""

import os
import random
import re
import subprocess

import pytest

from engine.plan import ResolvedAsset
from engine.provenance import git_commit, is_modified, newest_file_time

NOISE = random.Random(0).randbytes(
    999
)  # the same in each worker, since each collects the tests itself


@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_is_read_without_git(tmp_path, packed):
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    if packed:
        subprocess.run([*git, "pack-refs", "--all"], check=True)
    wanted = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert git_commit(tmp_path) == wanted


def test_without_git_there_is_no_commit(tmp_path):
    assert git_commit(tmp_path) is None


def test_the_commit_of_a_worktree_is_read_too(tmp_path):
    git = ["git", "-C", tmp_path / "main", "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "main").mkdir()
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", "-b", "other", tmp_path / "other"], check=True)
    assert git_commit(tmp_path / "other") is not None


@pytest.mark.parametrize("branch", [b"caf\xe9", "wörk".encode(), b"a" * 200])
@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_of_a_branch_of_any_name_is_read(tmp_path, branch, packed):
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q", "-b", branch], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    if packed:
        subprocess.run([*git, "pack-refs", "--all"], check=True)
    assert re.fullmatch("[0-9a-f]{40}", git_commit(tmp_path) or "")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0" * 100,
        NOISE,
        b"ref: ",
        b"ref: refs/heads/none",
        b"ref: ../../..",
        b"ref: \0",
        b"abc\n",
        b"ref: " + b"a" * 5000,
    ],
)
@pytest.mark.parametrize("packed", [None, b"", b"\n\n", NOISE])
def test_a_damaged_repository_has_no_commit(tmp_path, head, packed):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(head)
    if packed is not None:
        (tmp_path / ".git" / "packed-refs").write_bytes(packed)
    assert git_commit(tmp_path) is None


@pytest.mark.parametrize(
    "text", [b"", b"gitdir: /no/where", b"gitdir: \0", NOISE[:99], b"gitdir: .git"]
)
def test_a_git_file_that_points_nowhere_has_no_commit(tmp_path, text):
    (tmp_path / ".git").write_bytes(text)
    assert git_commit(tmp_path) is None


def test_a_tree_whose_tracked_files_differ_from_the_commit_is_modified(tmp_path):
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "code.py").write_text("1")
    for words in (["init", "-q"], ["add", "code.py"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    assert is_modified(tmp_path) is False
    (tmp_path / "new.txt").touch()
    assert is_modified(tmp_path) is False  # no file of the commit
    (tmp_path / "code.py").write_text("22")
    assert is_modified(tmp_path) is True


def test_without_git_nobody_says_whether_the_tree_is_modified(tmp_path, monkeypatch):
    assert is_modified(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_modified(tmp_path) is None


def asset(path, source):
    return ResolvedAsset("data", str(path), path, "sha256:0", None, str(source), False)


def test_a_users_data_has_the_time_of_its_newest_file(tmp_path):
    (tmp_path / "cats").mkdir()
    for name, time_s in (("cats/1.jpg", 1_700_000_000), ("2.jpg", 1_600_000_000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time_s, time_s))
    assert newest_file_time(asset(tmp_path, tmp_path)) == 1_700_000_000
    assert newest_file_time(asset(tmp_path / "2.jpg", tmp_path / "2.jpg")) == 1_600_000_000


def test_declared_data_and_data_without_files_have_no_time(tmp_path):
    (tmp_path / "file").touch()
    assert newest_file_time(asset(tmp_path, "https://example.org/data")) is None
    (tmp_path / "empty").mkdir()
    assert newest_file_time(asset(tmp_path / "empty", tmp_path / "empty")) is None
    assert newest_file_time(asset(tmp_path / "none", tmp_path / "none")) is None
