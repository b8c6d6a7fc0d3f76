"""Projects in Git repositories: real ones, over file:// and git://."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from engine.errors import UserError
from engine.projects import git


def _wait_for(port: int) -> None:
    limit = time.monotonic() + 60
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < limit
        time.sleep(0.05)


def _text(found: git.Fetched) -> str:
    return (found.folder / "train.py").read_text()


@pytest.mark.parametrize(("version", "text"), [(None, "two"), ("trunk", "two"), ("v1", "one")])
def test_a_version_is_a_branch_or_a_tag_and_the_default_branch_otherwise(
    repository, tmp_path, version, text
):
    found = git.fetch(f"{repository.url}#fit", version, tmp_path / "cache")
    assert (_text(found), found.note) == (text, "")
    assert found.commit == repository.git("rev-parse", f"{version or 'HEAD'}^{{commit}}")


def test_a_commit_that_no_branch_has_any_more_is_kept(repository, tmp_path):
    commit = repository.git("rev-parse", "HEAD")
    git.fetch(f"{repository.url}#fit", commit, tmp_path / "cache")
    shutil.rmtree(repository.path)
    found = git.fetch(f"{repository.url}#fit", commit, tmp_path / "cache")
    assert (_text(found), found.note) == ("two", "")


def test_a_branch_that_moves_is_followed_and_earlier_commits_stay(repository, tmp_path):
    uri, cache = f"{repository.url}#fit", tmp_path / "cache"
    before = git.fetch(uri, "trunk", cache)
    repository.commit("three")
    assert _text(git.fetch(uri, "trunk", cache)) == "three"
    assert _text(before) == "two"


def test_the_last_known_commit_is_used_if_the_repository_is_away(repository, tmp_path):
    uri, cache = f"{repository.url}#fit", tmp_path / "cache"
    before = git.fetch(uri, None, cache)
    repository.path.rename(tmp_path / "away")
    found = git.fetch(uri, None, cache)
    assert (found.folder, found.commit) == (before.folder, before.commit)
    assert str(before.commit)[:12] in found.note
    with pytest.raises(UserError, match="cannot be fetched"):
        git.fetch(uri, "v1", cache)


def test_neither_hooks_nor_protocols_that_run_programs_are_used(repository, tmp_path, monkeypatch):
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(hook.parent))
    git.fetch(f"{repository.url}#fit", None, tmp_path / "cache")
    with pytest.raises(UserError, match="not allowed"):
        git.fetch(f"ext::touch {tmp_path}/ran", None, tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


def test_a_repository_is_fetched_from_a_server(repository, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = ["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}"]
    argv += [f"--base-path={tmp_path}", str(tmp_path)]
    server = subprocess.Popen(argv, start_new_session=True)
    try:
        _wait_for(port)
        uri = f"git://127.0.0.1:{port}/repository#fit"
        commit = repository.git("rev-parse", "v1^{commit}")
        for version, text in (("v1", "one"), (commit, "one"), ("trunk", "two")):
            assert _text(git.fetch(uri, version, tmp_path / f"cache-{version}")) == text
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_the_fix_for_a_machine_without_git_is_to_install_it(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as caught:
        git.fetch(repository.url, None, tmp_path / "cache")
    assert (caught.value.where, caught.value.fix[:11]) == (".uri", "install git")


def test_a_file_with_any_line_ends_stays_as_it_is(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    found = git.fetch(f"{repository.url}#fit", "v1", tmp_path / "cache")
    assert (found.folder / "train.py").read_bytes() == b"one"


def test_a_repository_is_fetched_over_ssh(repository, tmp_path, sshd, monkeypatch):
    config = tmp_path / "ssh_config"
    config.write_text(sshd.config)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {config} -oBatchMode=yes")
    uri = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{repository.path}#fit"
    assert _text(git.fetch(uri, "v1", tmp_path / "cache")) == "one"
