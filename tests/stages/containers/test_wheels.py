"""Wheels copied unchanged into a tree."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.stage import StageError
from stages.containers import _wheels
from stages.containers._platform import PLATFORMS
from stages.containers._tree import Tree
from stages.containers._wheels import SITE, download_wheels, lay, read_requirements
from tests.stages.containers.packages import put, wheel

WHOLE = wheel({"x/__init__.py": b"1" * 50, "y.py": b"2" * 50})
ARM64 = PLATFORMS["linux/arm64"]


def laid(tmp_path: Path, data: bytes, *leave_out: str) -> Tree:
    """Return a tree with one wheel."""
    path, tree = tmp_path / "w.whl", Tree()
    path.write_bytes(data)
    lay(path, tree, leave_out)
    return tree


def test_modules_lie_where_debians_python_looks_and_data_in_its_place(tmp_path: Path) -> None:
    tree = laid(
        tmp_path,
        wheel(
            {"x/__init__.py": b"1", "x-1.data/purelib/y.py": b"2", "x-1.data/data/share/z": b"3"}
        ),
    )
    assert [
        tree.read(path) for path in (f"{SITE}/x/__init__.py", f"{SITE}/y.py", "usr/local/share/z")
    ] == [
        b"1",
        b"2",
        b"3",
    ]


def test_modes_are_those_of_programs_and_files_whatever_the_wheel_says(tmp_path: Path) -> None:
    tree = laid(tmp_path, wheel({"a": b"", "b": b""}, executable=("b",)))
    assert [tree.entries[f"{SITE}/{name}"].mode for name in "ab"] == [0o644, 0o755]


def test_what_no_stage_needs_is_left_out(tmp_path: Path) -> None:
    tree = laid(tmp_path, wheel({"x/tests/t.py": b"", "x/y.py": b""}), "*/tests/*")
    assert [path for path in tree.entries if path.endswith(".py")] == [f"{SITE}/x/y.py"]


def test_a_wheel_cannot_write_outside_its_place(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="leaves its package"):
        laid(tmp_path, wheel({"../../etc/passwd": b""}))


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="cannot be unpacked"):
        laid(tmp_path, b"noise")


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_damaged_wheel_gives_a_sentence_or_a_whole_layer(
    tmp_path: Path, place: int, value: int
) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] = value
    try:
        laid(tmp_path, bytes(damaged)).write(io.BytesIO(), 0)
    except StageError as error:
        assert str(error)


def test_a_wheel_of_the_cache_needs_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_wheels.sys, "executable", "/nowhere")
    digest = put(wheel({"x.py": b""}), tmp_path)
    assert [path.name for path in download_wheels({digest: "x==1 --hash=sha256:..."}, ARM64)] == [
        digest
    ]


def test_a_wheel_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "w").mkdir()
    about = {
        "x-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 1\n",
        "x-1.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
    }
    (tmp_path / "w" / "x-1-py3-none-any.whl").write_bytes(wheel({**about, "x.py": b""}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "w"))
    with pytest.raises(StageError, match=r"pip cannot download the wheels for linux/arm64: .*HASH"):
        download_wheels({"0" * 64: "x==1 --hash=sha256:" + "0" * 64}, ARM64)


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy==1",
        "numpy==1 --hash=md5:0",
        "--index-url=http://evil",
        "x==1 --hash=sha256:" + "0" * 63,
    ],
)
def test_a_lock_of_another_form_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "requirements-arm64.lock").write_text(f"{line}\n")
    with pytest.raises(StageError, match="make lock"):
        read_requirements(tmp_path / "requirements-arm64.lock")


def test_pip_is_the_one_of_this_python() -> None:
    assert (
        subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode
        == 0
    )
