"""The converter works in a folder of its own, is ended with its children, and its reasons are shown."""

import os
import time

import pytest

from engine.stage import StageError
from stages.imx500 import _converter

ARGUMENTS = {"only_memory": True, "input_persistency": False, "timeout_s": 60.0}


@pytest.fixture
def converter(tmp_path, monkeypatch):
    """Put a stand-in for imxconv-tf first on PATH; return an empty network."""

    def put(script):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/imxconv-tf").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin/imxconv-tf").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        (tmp_path / "q.keras").write_bytes(b"network")
        return tmp_path / "q.keras"

    return put


def test_it_gets_plain_names_and_its_options(converter):
    network = converter('echo "$@"; cat "$2"; echo; mkdir out; test -d "$TMPDIR" && echo temporary')
    with _converter.made(network, **ARGUMENTS) as made:
        lines = made.log.splitlines()
        assert (made.status, made.folder.is_dir()) == (0, True)
    expected = "-i network.keras -o out --report-size-unit B --memory-report --no-input-persistency"
    assert lines == [expected, "network", "temporary"]
    assert not made.folder.parent.exists()


def test_after_the_timeout_its_children_are_gone_too(converter, tmp_path):
    pid = tmp_path / "pid"
    network = converter(f"sleep 600 & echo $! > {pid}; wait")
    late = pytest.raises(StageError, match=r"did not end within 1 s: increase timeout_s")
    with late, _converter.made(network, **{**ARGUMENTS, "timeout_s": 1.0}):
        pass
    deadline = time.monotonic() + 10
    while _is_running(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(int(pid.read_text()))


def test_a_failure_shows_the_converters_own_reason(converter):
    line = "2026-11-30 20:30:01 ERROR: CODE: [EXEC] no such file [/venv/lib/converter.py:88]"
    network = converter(f"echo '{line}'; exit 3")
    with _converter.made(network, **ARGUMENTS) as made:
        assert _converter.failure(made) == (
            "imxconv-tf failed with exit status 3: CODE: [EXEC] no such file"
        )


def test_a_temporary_folder_that_its_shell_would_misread_is_not_used(
    converter, tmp_path, monkeypatch
):
    network = converter("pwd; mkdir out")
    odd, plain = tmp_path / "a b", tmp_path / "plain"
    odd.mkdir()
    plain.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    monkeypatch.setattr(_converter, "_OTHER_FOLDERS", (str(plain),))
    with _converter.made(network, **ARGUMENTS) as made:
        assert made.log.startswith(f"{plain}/imx500-")
    assert not any(plain.iterdir())
    monkeypatch.setattr(_converter, "_OTHER_FOLDERS", (str(tmp_path / "missing"),))
    refused = pytest.raises(StageError, match="choose other outputs")
    with refused, _converter.made(network, **ARGUMENTS):
        pass


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 0", "ended without an error, but its result is missing"),
        ("kill -9 $$", "was killed by signal 9"),
        ("exit 137", "was killed by signal 9"),  # as its shell says of its Java
        ("echo boom; exit 3", "failed with exit status 3: its log says no reason"),
    ],
)
def test_an_end_without_a_reason_is_described(converter, script, says):
    with _converter.made(converter(script), **ARGUMENTS) as made:
        assert says in _converter.failure(made)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False
