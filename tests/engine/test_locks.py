"""The locks of a store: only one engine runs a job, and leftovers of killed engines are found."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.locks import STALE_S, Locks

ROOT = Path(__file__).resolve().parents[2]
KEY = "ab" * 32


@pytest.fixture
def root(tmp_path):
    """The folder of an empty store."""
    return tmp_path / "store"


@pytest.fixture
def locks(root):
    """The locks of that store, as used by one engine."""
    return Locks(root)


def test_one_engine_of_all_does_a_job(root, locks):
    with locks.alone(KEY) as first, Locks(root).alone(KEY) as second:
        assert (first, second) == (True, False)
    with Locks(root).alone(KEY) as later:
        assert later


def test_the_lock_of_a_killed_engine_is_free(root, locks):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom engine.locks import Locks\nwith "
        f"Locks(Path({str(root)!r})).alone('{KEY}'):\n print(1, flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    with holder:
        holder.stdout.readline()
        with locks.alone(KEY) as mine:
            assert not mine
        holder.kill()
    with locks.alone(KEY) as mine:
        assert mine


def test_work_of_a_living_engine_is_not_swept(root, locks):
    with locks.work("me") as folder:
        assert locks.is_at_work("me")
        assert not locks.abandoned()
        assert Locks(root).sweep() == []
        assert folder.is_dir()
    assert not folder.exists()


def test_work_of_a_gone_engine_is_swept_and_named(root, locks):
    folder = root / "work" / "gone"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    assert locks.abandoned()
    assert locks.sweep() == ["gone"]
    assert not folder.exists()


def test_a_work_folder_that_was_never_locked_goes_when_it_is_old(root, locks):
    hidden = root / "work" / ".half"
    hidden.mkdir(parents=True)
    assert locks.sweep() == [] and hidden.exists()
    old = time.time() - STALE_S - 1
    os.utime(hidden, (old, old))
    assert locks.sweep() == [] and not hidden.exists()


def test_a_clean_waits_for_no_engine_and_has_the_store_alone(root, locks):
    with locks.in_use(), Locks(root).in_use(), Locks(root).unused() as is_unused:
        assert not is_unused
    with locks.unused() as is_unused:
        assert is_unused
