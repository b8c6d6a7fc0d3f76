"""The two lanes, and the plugin that reports skipped tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import lanes

ROOT = Path(__file__).resolve().parent.parent
ONE_SKIPPED = """
import pytest
def test_runs(): pass
@pytest.mark.ssh
def test_does_not_run(): pytest.skip("there is no ssh")
"""
MARKERS = "[pytest]\nmarkers =\n    ssh: needs ssh\n"


def _pytest(*words: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(
        argv, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/test_run.py::test_a[x/y]", "tests/test_run.py::test_a[x/y]"),
        ("tests/engine/test_store.py::test_a", "tests/engine/test_store.py"),
        ("tests/stages/edge/test_reference.py::test_a", "tests/stages/edge"),
    ],
    ids=["a whole run", "a file", "a folder that shares fixtures"],
)
def test_what_shares_fixtures_stays_in_one_worker(nodeid, scope):
    assert lanes.scope_of(nodeid) == scope


@pytest.fixture
def skips(tmp_path):
    """Run tests, of which one is skipped, with the plugin in a worker."""
    (tmp_path / "test_it.py").write_text(ONE_SKIPPED)
    (tmp_path / "pytest.ini").write_text(MARKERS)

    def run(may_skip: str) -> "subprocess.CompletedProcess[str]":
        words = ("-n", "1", "-p", "no_skips")
        return _pytest(
            *words, cwd=tmp_path, PYTHONPATH=str(ROOT / ".ci"), RPI_MLOPS_MAY_SKIP=may_skip
        )

    return run


def test_a_test_that_is_skipped_in_a_worker_fails_the_run(skips):
    result = skips("")
    assert result.returncode == 1 and "test_does_not_run (ssh)" in result.stdout


def test_what_a_machine_cannot_have_may_be_skipped(skips):
    assert skips("docker,ssh").returncode == 0


def test_what_starts_a_service_is_in_the_second_lane():
    words = ("--collect-only", "-m", "not second_lane", "tests/test_services.py")
    assert _pytest(*words, cwd=ROOT).returncode == pytest.ExitCode.NO_TESTS_COLLECTED
