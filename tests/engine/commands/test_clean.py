"""`clean`: what it removes and, above all, what it never removes."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from engine import layout, run_files
from engine.mlflow.queue import Queue, RunRequest
from engine.store import Store
from tests.conftest import Project

SLEEPER = """
    import time
    from pathlib import Path
    from engine.stage import Out
    def only(data: Out, *, here: str) -> None:
        Path(here).touch()
        time.sleep(120)
"""


@pytest.fixture(scope="module")
def three_outputs(tmp_path_factory):
    """The outputs of three real runs."""
    made = Project(tmp_path_factory.mktemp("three"))
    for n in (10, 20, 7):
        made.done(f"params.n={n}")
    return made.outputs


@pytest.fixture
def three(project, three_outputs):
    """Three runs of the chain, with numbers that share artifacts: 10 20 40, 20 40 80 and 7 14 28."""
    shutil.copytree(three_outputs, project.outputs, symlinks=True)
    return project


@pytest.fixture
def at_work(project):
    """A running run in a separate process, in addition to the project's runs."""

    def start():
        project.only_stage(SLEEPER, params={"here": str(project.path / "here")})
        engine = project.start("usecase=one")
        project.until((project.path / "here").exists)
        return engine

    return start


def _numbers(project) -> list[int]:
    """The numbers whose artifacts are in the store."""
    return sorted(int(path.read_text()) for path in project.store.root.glob("objects/file/*/*"))


def _names(project) -> list[int]:
    """The existing runs, by number."""
    return [run_files.state(path).start["params"]["n"] for path in layout.runs(project.outputs)]


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in folder.rglob("*")
        if "requests" not in path.parts  # the cached request of the command itself
    }


def _cached(give, *words: str) -> set[bool]:
    """Whether each stage is cached, according to `plan`."""
    rows = json.loads(give("plan", "format=json", *words).out)
    return {row["does"] == "cached" for row in rows}


def _break_double(project) -> None:
    double = project.path / "mystages" / "double.py"
    double.write_text(double.read_text().replace("    n = 2", "    raise SystemExit(1)\n    n = 2"))


def test_the_last_five_runs_stay_by_default(three, give):
    assert _numbers(three) == [7, 10, 14, 20, 28, 40, 80]
    said = give("clean")
    assert said.lines[0] == "removed: 0 runs, 0.0 MB of the store; kept: 3 runs"
    assert (_names(three), _numbers(three)) == ([10, 20, 7], [7, 10, 14, 20, 28, 40, 80])


def test_older_runs_go_with_what_they_alone_used(three, give):
    assert give("clean", "clean.keep_last=2").status == 0
    assert (_names(three), _numbers(three)) == ([20, 7], [7, 14, 20, 28, 40, 80])


def test_what_a_kept_run_shares_with_a_removed_one_stays_and_is_used_again(three, give):
    give("clean", "clean.keep_last=2")
    assert _cached(give, "params.n=20") == _cached(give, "params.n=7") == {True}
    assert False in _cached(give, "params.n=10")


def test_the_artifacts_in_a_kept_runs_folder_stay_whole(three, give):
    newest = layout.runs(three.outputs)[-1]
    before = three.artifacts(newest)
    give("clean", "clean.keep_last=1")
    assert three.artifacts(newest) == before and len(before) == 3


def test_a_removed_runs_work_can_be_done_again(three, give):
    give("clean", "clean.keep_last=1")
    assert give("params.n=10").status == 0
    assert set(_numbers(three)) == {7, 14, 28, 10, 20, 40}


def test_each_use_case_and_target_keeps_its_own_last_runs(three, give):
    assert give("params.n=1", "target=rpi4").status == 0
    give("clean", "clean.keep_last=1")
    assert sorted(_names(three)) == [1, 7]


def test_only_runs_older_than_asked_go(three, give):
    oldest, middle, _ = layout.runs(three.outputs)
    for days, folder in ((40, oldest), (20, middle)):
        os.utime(folder, (time.time() - days * 86400,) * 2)
    give("clean", "clean.keep_last=1", "clean.older_than=30d")
    assert _names(three) == [20, 7]


def test_the_last_runs_stay_whatever_their_age(three, give):
    for folder in layout.runs(three.outputs):
        os.utime(folder, (0, 0))
    give("clean", "clean.keep_last=2", "clean.older_than=1d")
    assert _names(three) == [20, 7]


def test_the_latest_finished_run_stays_behind_newer_ones_that_failed(three, give):
    _break_double(three)
    for n in (8, 9):
        assert give(f"params.n={n}").status == 1
    give("clean", "clean.keep_last=1")
    assert _names(three) == [7, 9]
    assert (three.outputs / "chain" / "x86_64" / "latest").resolve().is_dir()


def test_the_last_complete_run_stays_behind_newer_ones_that_until_ended(three, give):
    for n in (8, 9):
        assert give(f"params.n={n}", "until=[b]").status == 0
    give("clean", "clean.keep_last=1")
    assert _names(three) == [7, 9]
    give("clean", "clean.max_size=1B")
    assert _names(three) == [7]


def test_what_a_failed_run_finished_stays_with_it(three, give):
    _break_double(three)
    give("params.n=9")
    give("clean", "clean.keep_last=1")
    assert 9 in _numbers(three)


@pytest.mark.parametrize(
    ("max_size", "stay"),
    [("1G", [10, 20, 7]), ("12B", [20, 7]), ("11B", [20, 7]), ("10B", [7]), ("1B", [7])],
)
def test_the_oldest_runs_go_until_the_store_is_small_enough_but_never_the_latest(
    three, give, max_size, stay
):
    assert three.store.size_bytes() == 13
    give("clean", f"clean.max_size={max_size}")
    assert _names(three) == stay


def test_a_dry_run_says_the_same_and_changes_nothing(three, give):
    before = _tree(three.outputs)
    said = give("clean", "clean.keep_last=1", "clean.dry_run=true")
    assert said.lines[0] == "would be removed: 2 runs, 0.0 MB of the store; kept: 1 run"
    assert _tree(three.outputs) == before


def test_what_was_set_aside_as_damaged_and_unused_locks_go(three, give):
    three.store.quarantine(three.state(layout.runs(three.outputs)[0]).stages["a"].outputs["data"])
    assert list((three.store.root / "corrupt").iterdir()) and list(
        (three.store.root / "locks").iterdir()
    )
    give("clean")
    assert not list((three.store.root / "corrupt").iterdir()) and not list(
        (three.store.root / "locks").iterdir()
    )


def test_records_that_no_run_uses_go(three, give):
    before = len(list(three.store.root.glob("actions/*/*.json")))
    give("clean", "clean.keep_last=1")
    assert (before, len(list(three.store.root.glob("actions/*/*.json")))) == (
        8,
        3,
    )  # two runs share the job that doubles 20


def test_a_run_of_a_killed_engine_may_go(three, give):
    oldest = layout.runs(three.outputs)[0]
    lines = (oldest / "journal.jsonl").read_text().splitlines(keepends=True)
    (oldest / "journal.jsonl").write_text("".join(lines[:-1]))
    give("clean", "clean.keep_last=1")
    assert _names(three) == [7]


def test_a_run_without_a_word_in_its_journal_harms_nothing(three, give):
    empty = three.outputs / "chain" / "x86_64" / "19700101-000000-000-abcd"
    empty.mkdir()
    (empty / "journal.jsonl").touch()
    assert give("clean", "clean.keep_last=3").status == 0
    assert not empty.exists() and _names(three) == [10, 20, 7]


def test_a_run_at_work_and_all_in_the_store_stay(three, give, at_work):
    engine = at_work()
    said = give("clean", "clean.keep_last=1")
    assert said.lines[0] == "a run is in progress: the store is unchanged; repeat the command later"
    assert engine.poll() is None
    assert _numbers(three) == [7, 10, 14, 20, 28, 40, 80]
    assert len(layout.runs(three.outputs)) == 2
    engine.kill()
    engine.communicate()


def test_an_engine_that_has_planned_but_not_begun_its_journal_keeps_its_store(three, give):
    with three.store.locks.in_use():
        give("clean", "clean.keep_last=1")
        assert _numbers(three) == [7, 10, 14, 20, 28, 40, 80]


def test_there_is_nothing_to_clean_where_nothing_ran(project, give):
    assert give("clean").status == 0


def test_no_engine_begins_while_the_store_is_cleaned(three):
    with three.store.locks.unused() as is_unused:
        assert is_unused
        waiting = three.start("params.n=7")
        time.sleep(2)
        assert waiting.poll() is None and len(layout.runs(three.outputs)) == 3
    waiting.communicate(timeout=300)
    assert waiting.returncode == 0


def test_an_artifact_that_a_run_beside_needs_is_never_missing_afterwards(three, give):
    """Whatever the rules, the cached stages of the newest run stay cached."""
    for rules in (
        ["clean.keep_last=2"],
        ["clean.keep_last=1", "clean.max_size=1B"],
        ["clean.keep_last=1"],
    ):
        give("clean", *rules)
        assert _cached(give, "params.n=7") == {True}


def test_a_run_removed_by_hand_is_no_reason_to_fail(three, give):
    shutil.rmtree(layout.runs(three.outputs)[-1])
    assert give("clean", "clean.keep_last=1").status == 0
    assert Store(layout.store_dir(three.outputs)).size_bytes() > 0


@pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
def test_the_files_of_mlflow_go_with_their_runs(project, give):
    pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")
    for n in (1, 5):
        assert give("tracking=mlflow", f"params.n={n}").status == 0
    assert give("sync", "tracking=mlflow").status == 0
    words = ("clean", "clean.keep_last=1", "tracking=mlflow")
    for _ in range(60):  # a sender that has just finished a run may not have left the queue yet
        dry = give(*words, "clean.dry_run=true")
        if dry.lines[1].startswith("would be removed: "):
            break
        time.sleep(0.5)
    before = len(list(project.outputs.glob("mlartifacts/*/*")))
    assert give(*words, "clean.dry_run=true").lines[1] == dry.lines[1]
    assert len(list(project.outputs.glob("mlartifacts/*/*"))) == before
    real = give(*words)
    assert dry.lines[1].startswith("would be removed: ") and dry.lines[1].endswith(
        " MB of MLflow's files, of 4 records"
    )
    assert real.lines[1] == dry.lines[1].replace("would be removed", "removed")
    assert len(list(project.outputs.glob("mlartifacts/*/*"))) == before - 4


def test_a_run_that_is_being_sent_to_mlflow_stays(three, give):
    oldest = layout.runs(three.outputs)[0]
    queue = Queue(three.outputs, "key")
    queue.put(RunRequest(oldest, None))
    with queue.sender_lock():
        give("clean", "clean.keep_last=1")
        assert oldest.exists()
    give("clean", "clean.keep_last=1")
    assert not oldest.exists()
