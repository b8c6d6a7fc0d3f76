"""Environments that are made for local processes: by a run, once, and again after a kill."""

import os
import signal
import subprocess
import sys
import time

import pytest

from engine.errors import UserError
from engine.stage import virtualenv
from engine.tools import installer_log, making
from tests.engine.tools.conftest import HAS_UV, HERE

STAGE = """
    from typing import NotRequired, TypedDict
    from engine.stage import Out, note
    OPTIONAL = ("tinytool",)
    class Found(TypedDict):
        version: NotRequired[float]
    def only(data: Out) -> Found:
        import shutil
        data.write_text(str(shutil.which("tinytool")))
        try:
            import tinytool
        except ImportError:
            note("no tinytool")
            return {}
        return {"version": float(tinytool.VERSION)}
"""
LACKING = "the environment small is not available"


@pytest.fixture
def tooled(project, small):
    """A project with a stage that names the environment."""
    project.only_stage(STAGE, image="small")
    return project


def _notes(project) -> list[str]:
    return [event["text"] for event in project.events() if event["event"] == "note"]


def test_a_stage_runs_in_its_environment_which_is_made_once(tooled, small):
    first = tooled.run("usecase=one", "executor=local")
    assert first.returncode == 0, first.stderr
    lines = [line for line in first.stderr.splitlines() if "small" in line or "tinytool" in line]
    assert lines[0] == "note: tinytool belongs to the tests"
    assert lines[1].startswith("environment small: installing 1 package, 30.0 MB, into outputs/")
    assert "made in" in lines[2]
    stage = tooled.state().stages["s"]
    assert stage.metrics == {"version": 1.0}
    folder = small.environment().folder(small.store)
    program = tooled.store.path(stage.outputs["data"]).read_text()
    assert program == str(folder / "bin" / "tinytool")
    again = tooled.run("usecase=one", "executor=local", "force=all")
    assert again.returncode == 0 and "environment small" not in again.stderr
    assert tooled.state().stages["s"].metrics == {"version": 1.0}


def test_its_digest_is_in_the_fingerprint_and_explain_shows_it(tooled, small, give):
    tooled.done("usecase=one", "executor=local")
    assert "cached" in give("plan", "usecase=one", "executor=local").out
    before = small.environment().identity
    small.lock("2.0")
    said = give("explain", "usecase=one", "executor=local").out
    assert f"environment environment: {before[:60]} -> {small.environment().identity[:60]}" in said
    assert tooled.done("usecase=one", "executor=local").stages["s"].metrics == {"version": 2.0}


def test_without_it_the_run_goes_on_and_a_cached_one_does_not_try_again(tooled, small, give):
    wheel = next(small.wheels.glob("*.whl"))
    wheel.rename(small.path / wheel.name)
    done = tooled.run("usecase=one", "executor=local")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("environment small: installing") == 1
    assert tooled.state().stages["s"].metrics == {}
    [lacking] = [note for note in _notes(tooled) if LACKING in note]
    assert "tinytool" in lacking and "force=s" in lacking and "no tinytool" in _notes(tooled)
    assert not small.environment().folder(small.store).exists()
    (small.path / wheel.name).rename(wheel)
    assert "1 cached, 0 to run" in give("plan", "usecase=one", "executor=local").out
    again = tooled.run("usecase=one", "executor=local")
    assert tooled.state().stages["s"].cached and "installing" not in again.stderr
    assert [note for note in _notes(tooled) if note == lacking]


def test_after_a_failure_it_is_tried_again_when_a_stage_that_names_it_runs(tooled, small, give):
    wheel = next(small.wheels.glob("*.whl"))
    wheel.rename(small.path / wheel.name)
    tooled.done("usecase=one", "executor=local")
    forced = tooled.run("usecase=one", "executor=local", "force=s")
    assert "environment small: installing" in forced.stderr
    (small.path / wheel.name).rename(wheel)
    state = tooled.done("usecase=one", "executor=local", "force=s")
    assert state.stages["s"].metrics == {"version": 1.0}
    assert not [note for note in _notes(tooled) if LACKING in note]
    assert small.environment().failure(small.store) is None


def test_plan_says_that_it_will_be_made_and_how_large_it_is(tooled, small, give):
    note = "note: the environment small will be made first: 1 package, 30.0 MB on the disk"
    assert note in give("plan", "usecase=one", "executor=local").out
    tooled.done("usecase=one", "executor=local")
    assert "will be made" not in give("plan", "usecase=one", "executor=local", "force=s").out


def test_an_index_that_cannot_be_reached_is_named_in_one_line_with_the_fix(small, monkeypatch):
    next(small.wheels.glob("*.whl")).unlink()
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL") if not HAS_UV else ("UV_DEFAULT_INDEX",):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    with pytest.raises(UserError) as caught:
        making.make(small.environment(), small.store)
    assert caught.value.what == installer_log.UNREACHABLE
    assert caught.value.fix == installer_log.CONNECT
    failure = small.environment().failure(small.store)
    assert failure == (installer_log.UNREACHABLE, installer_log.CONNECT)


def test_what_cannot_be_made_here_is_not_tried(tooled, small):
    yaml = small.image / "environment.yaml"
    yaml.write_text(yaml.read_text().replace("30M", "900T"))
    done = tooled.run("usecase=one", "executor=local")
    assert done.returncode == 0 and "installing" not in done.stderr
    assert [note for note in _notes(tooled) if LACKING in note and "on the disk" in note]


def test_pip_installs_if_it_has_an_index_of_its_own(small, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    environment = small.environment()
    making.make(environment, small.store)
    words = [environment.interpreter(small.store), "-m", "pip", "--version"]
    assert subprocess.run(words, capture_output=True).returncode == 0
    found = subprocess.run([environment.bin(small.store) / "tinytool"], capture_output=True)
    assert found.stdout == b"1.0\n"


def test_a_wheel_with_another_hash_is_refused(small):
    [lock] = small.environment().locks
    lock.write_text(lock.read_text()[:-5] + "0000\n")
    environment = small.environment()
    with pytest.raises(UserError) as caught:
        making.make(environment, small.store)
    assert caught.value.where == "environment small" and "ash" in caught.value.what
    assert not environment.folder(small.store).exists()  # the disk may be full


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("kill -9 $$", "the installer was killed by signal 9"),
        (f"echo 'error: no wheel'; echo '  cause: {'x' * 300}disk full'; exit 2", "xdisk full)"),
    ],
)
def test_the_installers_end_is_described(small, tmp_path, monkeypatch, script, says):
    installer = tmp_path / "uv"
    installer.write_text(f"#!/bin/sh\n{script}\n")
    installer.chmod(0o755)
    monkeypatch.setattr(virtualenv, "installer", lambda *given: [str(installer), "pip"])
    with pytest.raises(UserError) as caught:
        making.make(small.environment(), small.store)
    assert says in caught.value.what


def test_one_that_was_killed_while_it_was_made_is_made_again(small):
    environment = small.environment()
    code = "import sys; from engine.tools import definition, making; from pathlib import Path\n"
    code += f"making.make(definition.find([Path({str(small.path)!r})], 'small', {HERE!r}), Path({str(small.store)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    python = environment.interpreter(small.store)
    while not python.exists():
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not environment.is_made(small.store)
    making.make(environment, small.store)
    assert environment.is_made(small.store)
    found = subprocess.run([environment.bin(small.store) / "tinytool"], capture_output=True)
    assert found.stdout == b"1.0\n"


def test_it_is_made_again_if_its_python_is_gone(small, tmp_path):
    calls = []

    def call(argv: list[str], lock: int) -> None:
        calls.append(argv)
        python = virtualenv.python_of(tmp_path / "env")
        python.parent.mkdir(parents=True)
        python.touch()

    for _ in range(2):
        virtualenv.ensure(tmp_path / "env", [["make"]], {}, call)
    assert calls == [["make"]]
    virtualenv.python_of(tmp_path / "env").unlink()
    virtualenv.ensure(tmp_path / "env", [["again"]], {}, call)
    assert calls == [["make"], ["again"]]


def test_clean_removes_the_environment_of_an_old_lock(tooled, small, give):
    tooled.done("usecase=one", "executor=local")
    old = small.environment().folder(small.store)
    assert str(old.name) not in give("clean").out and old.is_dir()
    small.lock("2.0")
    would = give("clean", "clean.dry_run=true").out
    assert old.name in would and old.is_dir()
    assert old.name in give("clean").out and not old.exists()


def test_clean_says_what_it_keeps_of_environments_and_how_to_free_it(tooled, small, give):
    assert "environments" not in give("clean").out
    tooled.done("usecase=one", "executor=local")
    size = making.size_bytes(small.environment().folder(small.store)) / 1e6
    said = give("clean").out
    assert (
        f"kept: {size:.1f} MB of environments; to free them, remove outputs/.engine/tools" in said
    )


def test_the_installer_is_uv_unless_pip_has_an_index_of_its_own(tmp_path):
    python = tmp_path / "bin" / "python"
    pip = [str(python), "-m", "pip", "install"]
    assert virtualenv.installer(python, {"PIP_INDEX_URL": "https://example.org"}) == pip
    assert virtualenv.installer(python, {"PIP_NO_INDEX": "1"}) == pip
    assert virtualenv.installer(python, {}) in (
        pip,
        [virtualenv.installer(python, {})[0], "pip", "install", "--python", str(python)],
    )
