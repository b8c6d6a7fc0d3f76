"""The store: complete artifacts and records, wherever a crash happens."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine import handles
from engine.durable import write_whole
from engine.sealing import BadOutput
from engine.store import Record, Store

ROOT = Path(__file__).resolve().parents[2]
KEY = "ab" * 32


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    yield Store(tmp_path / "store")
    handles.remove(tmp_path / "store")


@pytest.fixture
def outputs(tmp_path):
    """A file and a folder that a stage wrote."""
    out = tmp_path / "out"
    (out / "folder" / "inner").mkdir(parents=True)
    (out / "file").write_text("one")
    (out / "folder" / "inner" / "b").write_text("two")
    (out / "folder" / "run.sh").write_text("true")
    (out / "folder" / "run.sh").chmod(0o755)
    return {"file": out / "file", "folder": out / "folder"}


def _record(fingerprint: str = KEY) -> Record:
    return Record(fingerprint, "stage", {"source": {}}, {}, {"accuracy": 0.5})


def test_a_committed_record_is_found_with_all_it_says(store, outputs):
    made = store.commit(_record(), outputs)
    assert store.find(KEY) == made
    assert made.metrics == {"accuracy": 0.5}


def test_commits_of_the_same_bytes_give_the_same_digests(store, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("same")
    first = store.commit(_record(), {"data": tmp_path / "one"})
    second = store.commit(_record("cd" * 32), {"data": tmp_path / "two"})
    assert first.outputs == second.outputs
    assert len(list(store.root.glob("objects/*/*/*"))) == 1


def test_an_artifact_is_read_only(store, outputs):
    made = store.commit(_record(), outputs)
    modes = [
        path.stat().st_mode & 0o222
        for d in made.outputs.values()
        for path in [store.path(d), *store.path(d).rglob("*")]
    ]
    assert not any(modes)


def test_an_artifact_is_laid_out_as_it_was_written(store, outputs, tmp_path):
    made = store.commit(_record(), outputs)
    store.materialise(made.outputs["folder"], tmp_path / "there")
    assert (tmp_path / "there" / "inner" / "b").read_text() == "two"
    assert os.access(tmp_path / "there" / "run.sh", os.X_OK)
    handles.remove(tmp_path / "there")
    assert store.is_whole(made.outputs["folder"])


def test_artifacts_may_lie_on_another_disk(store, outputs, tmp_path):
    elsewhere = Path(tempfile.mkdtemp(dir="/dev/shm"))
    assert elsewhere.stat().st_dev != tmp_path.stat().st_dev
    store.root.mkdir()
    (store.root / "objects").symlink_to(elsewhere)
    try:
        made = store.commit(_record(), outputs)
        assert store.find(KEY) == made and not any(path.exists() for path in outputs.values())
        assert not list(elsewhere.rglob("*.part"))
        modes = {
            path.stat().st_mode & 0o222
            for digest in made.outputs.values()
            for path in [store.path(digest), *store.path(digest).rglob("*")]
        }
        assert modes == {0}
        assert (store.path(made.outputs["folder"]) / "run.sh").stat().st_mode & 0o100
    finally:
        handles.remove(elsewhere)


def test_an_absent_output_is_refused_and_leaves_no_record(store, tmp_path):
    with pytest.raises(BadOutput, match="the stage did not write its output 'data'"):
        store.commit(_record(), {"data": tmp_path / "absent"})
    assert store.find(KEY) is None


def test_a_damaged_artifact_is_mended_by_the_same_bytes(store, tmp_path):
    (tmp_path / "x").write_text("good")
    digest = store.commit(_record(), {"data": tmp_path / "x"}).outputs["data"]
    store.path(digest).chmod(0o644)
    store.path(digest).write_text("baad")
    assert store.find(KEY) is None
    (tmp_path / "x").write_text("good")
    store.commit(_record(), {"data": tmp_path / "x"})
    assert store.find(KEY)


@pytest.mark.parametrize("at", ["file", "folder"])
def test_what_is_set_aside_is_kept_for_a_look(store, outputs, at):
    digest = store.commit(_record(), outputs).outputs[at]
    store.quarantine(digest)
    assert not store.path(digest).exists()
    assert len(list((store.root / "corrupt").iterdir())) == 1


def test_a_record_torn_at_every_byte_is_as_none(store, outputs):
    store.commit(_record(), outputs)
    path = next(store.root.glob("actions/*/*.json"))
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        assert store.find(KEY) is None


@pytest.mark.parametrize(
    "text",
    ["null", "[]", "3", '"x"', '{"v": 99}', '{"v": 1}', f'{{"v": 1, "fingerprint": "{KEY}"}}'],
)
def test_a_record_of_another_form_is_as_none(store, text):
    write_whole(store.root / "actions" / KEY[:2] / f"{KEY}.json", text.encode())
    assert store.find(KEY) is None


def test_what_no_run_uses_goes_and_the_rest_stays(store, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
    store.commit(_record(), {"data": tmp_path / "old"})
    kept = store.commit(_record("cd" * 32), {"data": tmp_path / "new"})
    assert store.keep_only({"cd" * 32}, set(kept.outputs.values()), dry_run=True) == 3
    assert store.find(KEY)
    store.keep_only({"cd" * 32}, set(kept.outputs.values()), dry_run=False)
    assert store.find(KEY) is None and store.find("cd" * 32)


def test_a_commit_removes_the_jobs_checkpoints_and_no_others(store, outputs):
    for fingerprint in (KEY, "cd" * 32):
        store.checkpoint(fingerprint).mkdir(parents=True)
        (store.checkpoint(fingerprint) / "state").write_text("half")
    store.commit(_record(), outputs)
    assert [path.name for path in (store.root / "checkpoints").iterdir()] == ["cd" * 32]


def test_checkpoints_of_jobs_that_no_run_names_go_with_a_clean(store):
    for fingerprint in (KEY, "cd" * 32):
        store.checkpoint(fingerprint).mkdir(parents=True)
        (store.checkpoint(fingerprint) / "state").write_text("half")
    assert store.size_bytes() == 8
    assert store.keep_only({KEY}, set(), dry_run=True) == 4
    assert store.keep_only({KEY}, set(), dry_run=False) == 4
    assert [path.name for path in (store.root / "checkpoints").iterdir()] == [KEY]


@pytest.mark.parametrize("kind", ["link", "locked", "fifo"])
def test_whatever_a_stage_left_as_its_checkpoint_is_removed_and_nothing_else(store, tmp_path, kind):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").touch()
    checkpoint = store.checkpoint(KEY)
    (checkpoint / "sub").mkdir(parents=True)
    if kind == "link":
        (checkpoint / "sub" / "link").symlink_to(mine)
    elif kind == "fifo":
        os.mkfifo(checkpoint / "sub" / "fifo")
    else:
        (checkpoint / "sub" / "locked").mkdir(mode=0)
    store.keep_only(set(), set(), dry_run=False)
    assert not checkpoint.exists() and (mine / "precious").exists()


def test_what_killed_engines_and_sweeps_left_goes_with_a_clean(store):
    left = [
        store.root / name
        for name in (
            "sweeps/statuses-old",
            "assets/.partial",
            "actions/ab/.x.json.1.part",
            "requests/.x.json.1.part",
            ".sources.json.1.part",
            "sweeps/statuses-new",
        )
    ]
    for path in left:
        path.mkdir(parents=True)
    os.utime(left[0], (1e9, 1e9))
    store.keep_only(set(), set(), dry_run=False)
    assert [path.exists() for path in left] == [*[False] * 5, True]


COMMIT = """
import sys, tempfile
from pathlib import Path
from engine.store import Record, Store
root = Path(sys.argv[1])
out = Path(tempfile.mkdtemp(dir=root))  # of each attempt its own, as a job's: what one has half committed is read-only
(out / "folder").mkdir()
(out / "folder" / "a").write_text("one")
(out / "file").write_text("two")
Store(root / "store").commit(Record("ab" * 32, "s", {}, {}), {"file": out / "file", "folder": out / "folder"})
"""


@pytest.mark.strace
@pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="there is no strace: system calls cannot be cut off one by one",
)
@pytest.mark.parametrize("syscall", ["rename", "fsync", "fchmod"])
@pytest.mark.parametrize("harm", ["signal=KILL", "error=ENOSPC"])
def test_a_commit_cut_off_at_each_system_call_leaves_whole_things_and_can_be_done_again(
    tmp_path, syscall, harm
):
    for at in range(1, 12):
        root = tmp_path / str(at)
        root.mkdir()
        argv = [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            f"trace={syscall}",
            "-e",
            f"inject={syscall}:{harm}:when={at}",
            sys.executable,
            "-S",
            "-c",
            COMMIT,
            str(root),
        ]
        cut = subprocess.run(argv, cwd=ROOT, capture_output=True)
        store = Store(root / "store")
        for path in store.root.glob("objects/*/*/*"):
            assert store.is_whole(f"{path.parent.parent.name}:{path.name}")
        assert store.find(KEY) or store.record(KEY) is None
        if cut.returncode == 0:
            return  # it makes fewer calls than that
        subprocess.run([sys.executable, "-S", "-c", COMMIT, str(root)], cwd=ROOT, check=True)
        assert store.find(KEY)
    raise AssertionError("more calls than expected")


@pytest.mark.parametrize("kind", ["fifo", "zero", "folder", "sparse"])
def test_a_record_that_is_no_file_or_far_too_large_is_as_none(store, outputs, kind):
    store.commit(_record(), outputs)
    path = next(store.root.glob("actions/*/*.json"))
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    assert store.record(path.stem) is None
    store.commit(_record(), {})
    assert store.record(path.stem) == _record()


def test_an_artifact_behind_a_link_is_not_the_stores(store, outputs, tmp_path):
    record = store.commit(_record(), outputs)
    digest = next(iter(record.outputs.values()))
    place, outside = store.path(digest), tmp_path / "outside"
    store.materialise(digest, outside)
    store.quarantine(digest)
    place.symlink_to(outside)
    assert not store.is_whole(digest)
    store.quarantine(digest)
    assert outside.exists() and not place.is_symlink()


def test_every_record_is_listed_and_damaged_ones_are_not(store, outputs, tmp_path):
    store.commit(_record(), outputs)
    (tmp_path / "more").write_text("more")
    store.commit(_record("cd" * 32), {"data": tmp_path / "more"})
    (store.root / "actions" / "cd" / f"{'cd' * 32}.json").write_text("{}")
    assert [one.fingerprint for one in store.records()] == [KEY]


def test_an_artifact_without_a_job_is_whole_and_read_only(store, outputs):
    digest = store.add("folder", outputs["folder"])
    assert store.is_whole(digest) and list(store.records()) == []
    assert store.path(digest).stat().st_mode & 0o222 == 0


def test_artifacts_are_removed_before_the_record_that_leads_to_them(store, outputs, monkeypatch):
    made = store.commit(_record(), outputs)
    first, second = made.outputs.values()
    assert store.remove([first]) == [] and not store.path(first).exists()
    assert store.record(KEY) == made
    monkeypatch.setattr(handles, "remove", lambda path: False)
    assert store.remove([second], KEY) == [second] and store.record(KEY) == made
    monkeypatch.undo()
    assert store.remove([second], KEY) == [] and store.record(KEY) is None
