"""What runs when: order, resources, retries, time limits, failures, interrupts, and other engines."""

import json
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import jobfolder
from engine.drivers import scheduler as schedulers
from engine.placement import EMULATED, Placement
from engine.plan import Plan
from engine.store import Record
from tests.engine.conftest import Bench, fails, hangs, returns, succeeds_at, writes
from tests.strategies import ancestors, dags, stages

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
BESIDE = {"a": [], "b": [], "c": []}


def _states(state) -> dict[str, str]:
    return {name: stage.state for name, stage in state.stages.items()}


def _most(bench) -> int:
    return max(map(len, bench.executor.at_once))


# --- order and resources


def test_every_stage_runs_after_what_it_needs(bench):
    state = bench.run(stages(DIAMOND))
    assert (state.status, bench.executor.launched[0], bench.executor.launched[-1]) == (
        "finished",
        "a",
        "d",
    )


def test_what_a_stage_reads_is_what_the_one_before_wrote(bench):
    bench.run(stages(CHAIN))
    assert (bench.run_dir / "artifacts" / "c" / "data").read_text() == "c (b (a ()))"


def test_the_longest_path_comes_first(bench):
    bench.run(stages({"short": [], "long": [], "longer": ["long"], "longest": ["longer"]}), cpus=1)
    assert bench.executor.launched[:2] == ["long", "longer"]


@pytest.mark.parametrize(("cpus", "most"), [(1, 1), (2, 2), (2.5, 2), (8, 3)])
def test_the_jobs_together_take_no_more_processors_than_there_are(bench, cpus, most):
    bench.run(stages(BESIDE), cpus=cpus)
    assert _most(bench) == most


def test_parts_of_a_processor_add_up(bench):
    bench.run(stages(BESIDE, resources={"cpus": 0.5}), cpus=1)
    assert _most(bench) == 2


def test_the_jobs_together_take_no_more_memory_than_there_is(bench):
    bench.run(stages(BESIDE, resources={"memory": "400M"}), cpus=8, memory=10**9)
    assert _most(bench) == 2


def test_one_job_at_a_time_holds_the_accelerator(bench):
    wanting = stages(BESIDE, resources={"accelerator": True})
    bench.run({**wanting, **stages({"free": []})}, cpus=8)
    assert max(len(together - {"free"}) for together in bench.executor.at_once) == 1
    assert _most(bench) == 2


@pytest.mark.parametrize(("count", "most"), [(1, 2), (2, 1), (0, 3)])
def test_the_jobs_together_take_no_more_gpus_than_there_are(bench, count, most):
    bench.run(stages(BESIDE, resources={"gpu": count}), cpus=8, gpus=2)
    assert _most(bench) == most


@pytest.mark.parametrize("resources", [{"cpus": 64}, {"memory": "64G"}], ids=["cpus", "memory"])
def test_a_job_larger_than_the_machine_runs_alone(bench, resources):
    state = bench.run({**stages(BESIDE), **stages({"huge": []}, resources=resources)}, cpus=8)
    assert state.status == "finished"
    assert {together for together in bench.executor.at_once if "huge" in together} == {
        frozenset({"huge"})
    }


# --- the store


def test_what_the_store_has_is_taken_without_a_launch(bench):
    bench.run(stages(CHAIN))
    state = bench.run(stages(CHAIN))
    assert (state.status, bench.executor.launched) == ("finished", [])
    assert all(stage.cached for stage in state.stages.values())
    assert (bench.run_dir / "artifacts" / "c" / "data").read_text() == "c (b (a ()))"


def test_what_comes_after_a_change_runs_and_what_is_beside_it_does_not(bench):
    bench.run(stages(DIAMOND))
    changed = stages(DIAMOND)
    changed["b"]["params"] = {"n": 2}
    bench.run(changed)
    assert bench.executor.launched == ["b"]  # it wrote the same bytes as before, so d need not run


def test_two_stages_that_do_the_same_are_done_once(bench):
    same = {
        name: {"command": ["make", "it", "{outputs.data}"], "outputs": ["data"]}
        for name in ("a", "b")
    }
    state = bench.run(same)
    assert len(bench.executor.launched) == 1
    assert sorted(stage.cached for stage in state.stages.values()) == [False, True]


def _spoils(bench, stage: str):
    """Write the outputs, and damage the output of that stage."""

    def does(folder, attempt):
        path = bench.store.path(bench.scheduler.attempts.digests[stage]["data"])
        path.chmod(0o644)
        path.write_text("rotten")
        return writes(folder, attempt)

    return does


def test_an_artifact_that_rots_during_the_run_is_set_aside_and_made_again(bench):
    bench.executor.does["c"] = _spoils(bench, "a")
    state = bench.run(stages({**CHAIN, "d": ["a", "c"]}))
    assert (state.status, bench.executor.launched) == ("finished", ["a", "b", "c", "a", "d"])
    assert ["was damaged in the store" in note for note in state.notes] == [True]
    assert (bench.run_dir / "artifacts" / "d" / "data").read_text() == "d (a (), c (b (a ())))"


def test_an_artifact_that_rots_is_made_again_once_for_all_that_read_it(bench):
    bench.executor.does["c"] = _spoils(bench, "a")
    state = bench.run(stages({**CHAIN, "d": ["a", "c"], "e": ["a", "c"]}))
    assert (state.status, Counter(bench.executor.launched)) == (
        "finished",
        {"a": 2, "b": 1, "c": 1, "d": 1, "e": 1},
    )


def _other_engine(bench, plan: Plan, *, finishes: bool):
    """Let another engine run the stage `a` until this one has checked a few times, and count the checks."""
    planned = plan.jobs["a"]
    alone = bench.store.locks.alone(planned.fingerprint)
    assert alone.__enter__()
    looks = []

    def meanwhile():
        looks.append(list(bench.executor.launched))
        if len(looks) == 5:
            if finishes:
                (bench.folder / "theirs").write_text("a ()")
                bench.store.commit(
                    Record(planned.fingerprint, "a", planned.parts, {}),
                    {"data": bench.folder / "theirs"},
                )
            alone.__exit__(None, None, None)

    bench.executor.meanwhile = meanwhile
    return looks


def test_a_job_that_another_engine_does_is_waited_for_and_taken(bench):
    plan = bench.plan(stages(CHAIN))
    looks = _other_engine(bench, plan, finishes=True)
    state = bench.run(plan)
    assert (state.status, bench.executor.launched) == ("finished", ["b", "c"])
    assert state.stages["a"].cached and looks[4] == []


def test_what_a_killed_engine_left_is_reclaimed_before_its_job_starts_again(bench):
    plan = bench.plan(stages(CHAIN))
    _other_engine(bench, plan, finishes=False)
    lock = bench.store.root / "work" / "theirs" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()  # not held: that engine was killed
    assert bench.run(plan).status == "finished"
    assert bench.executor.reclaimed == [(["a"], [])]
    assert bench.executor.launched == ["a", "b", "c"]


def test_a_job_that_another_engine_gives_up_is_done(bench):
    plan = bench.plan(stages(CHAIN))
    looks = _other_engine(bench, plan, finishes=False)
    state = bench.run(plan)
    assert (state.status, bench.executor.launched) == ("finished", ["a", "b", "c"])
    assert looks[4] == []


# --- failures


def test_what_depends_on_a_failure_is_skipped_and_the_rest_finishes(bench):
    bench.executor.does["b"] = fails
    state = bench.run(stages({"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "x": ["a"], "y": ["x"]}))
    assert state.status == "failed"
    assert _states(state) == {
        "a": "finished",
        "b": "failed",
        "c": "skipped",
        "d": "skipped",
        "x": "finished",
        "y": "finished",
    }
    assert state.stages["d"].because == "b failed"


def test_fail_fast_ends_what_is_at_work_and_skips_the_rest(bench):
    bench.executor.does |= {"a": fails, "b": hangs}
    state = bench.run(stages({"a": [], "b": [], "c": ["b"]}), fail_fast=True)
    assert (state.status, _states(state)) == (
        "failed",
        {"a": "failed", "b": "failed", "c": "skipped"},
    )
    assert bench.executor.told == [("b", False)]
    assert (state.stages["b"].failure["kind"], state.stages["b"].failure["message"]) == (
        "killed",
        "a failed, and fail_fast is set",
    )


def test_fail_fast_leaves_what_waits_for_its_next_attempt_failed(bench):
    bench.executor.does |= {"a": fails, "b": fails}
    bench.executor.pick = lambda running: "b" if "b" in running else running[0]
    both = stages({"a": []}) | stages({"b": []}, retries=1, retry_delay="60s")
    state = bench.run(both, fail_fast=True)
    assert _states(state) == {"a": "failed", "b": "failed"}
    assert state.stages["b"].failure["message"] == "it ended with exit status 3"


def test_fail_fast_tries_nothing_again(bench):
    bench.executor.does |= {"a": fails, "b": hangs}
    bench.executor.meanwhile = lambda: (
        bench.executor.does.pop("b", None) if bench.executor.launched.count("b") > 1 else None
    )
    both = stages({"a": []}) | stages({"b": []}, retries=1, retry_delay="10ms")
    bench.run(both, fail_fast=True)
    assert sorted(bench.executor.launched) == ["a", "b"]


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (3, "failed", "it ended with exit status 3"),
        (-11, "killed", "it was ended by signal 11"),
        (None, "killed", "the executor lost its process"),
    ],
)
def test_an_end_is_reported_by_its_kind(bench, status, kind, message):
    bench.executor.does["a"] = lambda folder, attempt: status
    failure = bench.run(stages({"a": []})).stages["a"].failure
    assert (failure["kind"], failure["message"]) == (kind, message)


@pytest.mark.parametrize(("status", "chosen"), [(-9, 137), (-15, 143), (74, 74), (3, 3)])
def test_an_exit_status_that_the_stage_chose_is_believed_whatever_its_executor_makes_of_it(
    bench, status, chosen
):
    bench.executor.does["a"] = lambda folder, attempt: (
        (folder / "result.json").write_text(f'{{"exit_status": {chosen}}}') and status
    )
    failure = bench.run(stages({"a": []})).stages["a"].failure
    assert (failure["kind"], failure["message"]) == (
        "failed",
        f"it ended with exit status {chosen}",
    )


@pytest.mark.parametrize("said", ["0", "256", "-1", "true", '"137"', "null", "[1]"])
def test_an_exit_status_that_no_process_has_is_not_believed(bench, said):
    bench.executor.does["a"] = lambda folder, attempt: (
        (folder / "result.json").write_text(f'{{"exit_status": {said}}}') and -9
    )
    failure = bench.run(stages({"a": []})).stages["a"].failure
    assert (failure["kind"], failure["message"]) == ("killed", "it was ended by signal 9")


def test_the_stages_own_sentence_is_its_failures(bench):
    bench.executor.does["a"] = lambda folder, attempt: (
        (folder / "result.json").write_text('{"error": "no pictures"}') and 1
    )
    assert bench.run(stages({"a": []})).stages["a"].failure["message"] == "no pictures"


def test_the_journal_names_a_log_from_the_runs_folder_on(bench):
    bench.executor.does["a"] = fails
    stage = bench.run(stages({"a": []})).stages["a"]
    assert (stage.log, stage.failure["log"]) == ("logs/a.log", "logs/a.log")


def test_the_last_lines_of_the_log_come_with_the_failure(bench):
    def grumble(folder, attempt):
        (bench.run_dir / "logs" / "a.log").write_text("one\ntwo\n")
        return 1

    bench.executor.does["a"] = grumble
    failure = bench.run(stages({"a": []})).stages["a"].failure
    assert failure["log_tail"] == "one\ntwo"


def test_an_output_that_is_missing_is_a_failure_that_names_it(bench):
    bench.executor.does["a"] = lambda folder, attempt: 0
    failure = bench.run(stages({"a": []})).stages["a"].failure
    assert (failure["kind"], failure["message"]) == (
        "bad_output",
        "the stage did not write its output 'data'",
    )


def test_an_asset_that_changes_while_a_stage_reads_it_fails_the_stage_and_nothing_is_kept(
    bench, tmp_path
):
    mine = tmp_path / "mine"
    mine.write_text("1")
    bench.executor.does["a"] = lambda folder, attempt: (
        writes(folder, attempt) + 0 * mine.write_text("22")
    )
    plan = bench.plan(
        {
            "a": {
                "command": ["make", "{outputs.data}"],
                "outputs": ["data"],
                "inputs": {"x": "asset:mine"},
            }
        },
        {"mine": mine},
    )
    assert bench.run(plan).stages["a"].failure["kind"] == "input_changed"
    assert not list(bench.store.root.glob("actions/*/*"))


def _checkpoints(bench) -> list[str]:
    return [path.read_text() for path in bench.store.root.glob("checkpoints/*/state")]


def _keeps(folder, attempt):
    """Append the number of this attempt to the checkpoint."""
    path = Path(json.loads((folder / "job.json").read_text())["checkpoint"]) / "state"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(str(attempt))
    return 3


def test_every_attempt_of_a_job_has_the_same_checkpoint_folder_and_a_failure_leaves_it(bench):
    bench.executor.does["a"] = _keeps
    for _ in range(2):
        bench.run(stages({"a": []}, retries=1, retry_delay=0))
    assert _checkpoints(bench) == ["1212"]


@pytest.mark.parametrize("odd", [os.mkfifo, lambda path: path.symlink_to("/tmp")])
def test_what_is_no_folder_is_no_checkpoint(bench, odd):
    """A stage may have put it there."""
    plan = bench.plan(stages({"a": []}))
    checkpoint = bench.store.checkpoint(plan.jobs["a"].fingerprint)
    checkpoint.parent.mkdir(parents=True)
    odd(checkpoint)
    bench.executor.does["a"] = fails
    bench.run(plan)
    assert not os.path.lexists(checkpoint)


def test_a_finished_job_leaves_no_checkpoint(bench):
    bench.executor.does["a"] = lambda folder, attempt: (
        writes(folder, attempt) + 0 * _keeps(folder, attempt)
    )
    assert bench.run(stages({"a": []})).stages["a"].state == "finished"
    assert _checkpoints(bench) == []


def test_a_checkpoint_that_an_asset_went_into_while_it_changed_is_removed(bench, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("1")
    bench.executor.does["a"] = lambda folder, attempt: (
        _keeps(folder, attempt) + 0 * mine.write_text("22")
    )
    plan = bench.plan(
        {
            "a": {
                "command": ["make", "{outputs.data}"],
                "outputs": ["data"],
                "inputs": {"x": "asset:mine"},
            }
        },
        {"mine": mine},
    )
    assert bench.run(plan).stages["a"].failure["kind"] == "failed"
    assert _checkpoints(bench) == []


def test_the_folder_of_a_job_is_removed_after_it(bench):
    seen = []
    bench.executor.does["b"] = lambda folder, attempt: (
        seen.append(sorted(path.name for path in folder.parent.iterdir())) or writes(folder, 1)
    )
    bench.executor.meanwhile = lambda: time.sleep(0.05)
    bench.run(stages(CHAIN))
    assert seen == [["b-1", "lock"]]


# --- retries and time


def test_a_failed_stage_is_tried_again_after_a_delay_that_doubles(bench):
    bench.executor.does["a"] = succeeds_at(4)
    state = bench.run(stages({"a": []}, retries=5, retry_delay="20ms"))
    assert (state.status, state.stages["a"].attempt) == ("finished", 4)
    assert [event["retry_in_s"] for event in bench.events if event["event"] == "job_failed"] == [
        0.02,
        0.04,
        0.08,
    ]
    waits = [
        after - before
        for before, after in zip(bench.executor.times, bench.executor.times[1:], strict=False)
    ]
    assert all(wait >= delay for wait, delay in zip(waits, [0.02, 0.04, 0.08], strict=True))


def test_the_log_says_where_a_second_attempt_begins(bench):
    bench.executor.does["a"] = succeeds_at(2)
    bench.run(stages({"a": []}, retries=1, retry_delay="1ms"))
    assert (bench.run_dir / "logs" / "a.log").read_text() == "--- attempt 2\n"


def test_after_its_last_retry_a_stage_has_failed(bench):
    bench.executor.does["a"] = fails
    state = bench.run(stages({"a": []}, retries=2, retry_delay="1ms"))
    assert (state.status, state.stages["a"].attempt, state.stages["a"].failure["retry_in_s"]) == (
        "failed",
        3,
        None,
    )


def test_other_stages_run_while_one_waits_for_its_retry(bench, monkeypatch):
    hour = 3600.0
    monkeypatch.setattr(
        schedulers,
        "time",
        SimpleNamespace(monotonic=lambda: hour * (1 + ("c" in bench.executor.launched))),
    )
    bench.executor.does["a"] = succeeds_at(2)
    bench.run(
        {**stages({"a": []}, retries=1, retry_delay="1h"), **stages({"b": [], "c": ["b"]})}, cpus=1
    )
    assert bench.executor.launched[-1] == "a"
    assert Counter(bench.executor.launched) == {"a": 2, "b": 1, "c": 1}


def test_a_full_disk_is_not_tried_again(bench):
    def fill(folder, attempt):
        (bench.run_dir / "logs" / "a.log").write_text(
            "OSError: [Errno 28] No space left on device\n"
        )
        return 1

    bench.executor.does["a"] = fill
    state = bench.run(stages({"a": []}, retries=3, retry_delay="1ms"))
    assert (state.stages["a"].attempt, state.stages["a"].failure["kind"]) == (1, "disk_full")


def test_a_stage_is_asked_to_end_at_its_timeout(bench):
    bench.executor.does["a"] = hangs
    failure = bench.run(stages({"a": []}, timeout="50ms")).stages["a"].failure
    assert (failure["kind"], failure["message"]) == (
        "timeout",
        "it did not end within its timeout of 0.05 s; to allow more time, add stages.a.timeout=0.1s",
    )
    assert bench.executor.told == [("a", False)]


def test_an_emulated_stage_has_ten_times_as_long(bench):
    bench.executor.does["a"] = hangs
    plan = bench.plan(stages({"a": []}, timeout="20ms"))
    emulated = replace(plan.jobs["a"].job, placement=Placement("linux/arm64", True, EMULATED))
    failure = (
        bench.run(replace(plan, jobs={"a": replace(plan.jobs["a"], job=emulated)}))
        .stages["a"]
        .failure
    )
    assert (
        failure["message"]
        == "it did not end within its timeout of 0.2 s, 10 times the YAML's value because it was emulated; "
        "to allow more time, add stages.a.timeout=0.04s"
    )


def test_a_log_that_grows_too_long_is_cut_while_its_stage_runs(bench, monkeypatch):
    monkeypatch.setattr(jobfolder, "LOG_MOST", 3000)
    monkeypatch.setattr(jobfolder, "LOG_ENDS", 1000)
    bench.executor.does["a"] = hangs

    def chatter():
        log = bench.run_dir / "logs" / "a.log"
        if log.exists() or bench.executor.launched:
            assert not log.exists() or log.stat().st_size < 9000
            if log.exists() and b"bytes were left out here" in log.read_bytes():
                bench.executor.does.pop("a", None)  # it was read: now the stage may end
            with log.open("ab") as file:
                file.write(b"x" * 2000)

    bench.executor.meanwhile = chatter
    assert bench.run(stages({"a": []})).status == "finished"


def test_a_stage_that_ignores_the_request_is_ended_by_force_after_a_grace(bench, monkeypatch):
    monkeypatch.setattr(schedulers, "GRACE_S", 0.1)
    bench.executor.does["a"] = hangs
    bench.executor.stubborn = {"a"}
    assert bench.run(stages({"a": []}, timeout="50ms")).stages["a"].failure["kind"] == "timeout"
    assert bench.executor.told[0] == ("a", False) and bench.executor.told[-1] == ("a", True)


# --- interrupts


def _interrupt(bench, *moments: int) -> None:
    """Interrupt the run at these calls of `wait` after its first launch."""
    calls = []

    def meanwhile():
        if bench.executor.launched:
            calls.append(1)
        assert len(calls) < 100, "the run goes on"
        bench.scheduler.interrupts += len(calls) in moments

    bench.executor.meanwhile = meanwhile


def test_an_interrupt_asks_what_is_at_work_to_end_and_starts_nothing_more(bench):
    bench.executor.does["a"] = hangs
    _interrupt(bench, 2)
    state = bench.run(stages(CHAIN, retries=3))
    assert (state.status, _states(state)) == (
        "interrupted",
        {"a": "failed", "b": "skipped", "c": "skipped"},
    )
    assert bench.executor.told == [("a", False)]
    assert (
        state.stages["a"].failure["message"]
        == state.stages["c"].because
        == "the run was interrupted"
    )


def test_an_interrupted_stage_comes_without_its_log(bench):
    bench.executor.does["a"] = hangs
    _interrupt(bench, 2)
    interrupt = bench.executor.meanwhile

    def meanwhile():
        (bench.run_dir / "logs" / "a.log").write_text("page after page\n")
        interrupt()

    bench.executor.meanwhile = meanwhile
    failure = bench.run(stages({"a": []})).stages["a"].failure
    assert (failure["log_tail"], failure["log"]) == ("", "logs/a.log")


def test_a_second_interrupt_ends_a_stubborn_stage_by_force(bench):
    bench.executor.does["a"] = hangs
    bench.executor.stubborn = {"a"}
    _interrupt(bench, 2, 6)
    assert bench.run(stages(CHAIN)).status == "interrupted"
    assert bench.executor.told[0] == ("a", False) and bench.executor.told[-1] == ("a", True)


def test_what_was_done_before_an_interrupt_is_kept(bench):
    bench.executor.does["b"] = hangs
    _interrupt(bench, 4)
    bench.run(stages(CHAIN))
    bench.executor.does.clear()
    bench.executor.meanwhile = lambda: None
    state = bench.run(stages(CHAIN))
    assert (state.status, bench.executor.launched) == ("finished", ["b", "c"])


def test_a_run_that_was_over_when_it_was_pruned_has_finished(bench):
    bench.executor.does["a"] = lambda folder, attempt: (
        bench.scheduler.prune("why") or writes(folder, attempt)
    )
    assert bench.run(stages({"a": []})).status == "finished"


def test_a_pruned_run_that_is_interrupted_has_been_interrupted(bench):
    bench.executor.does["a"] = hangs

    def meanwhile():
        bench.scheduler.prune("why")
        bench.scheduler.interrupts = 1

    bench.executor.meanwhile = meanwhile
    assert bench.run(stages(CHAIN)).status == "interrupted"


# --- gates


@pytest.mark.parametrize(
    ("value", "status", "after"), [(0.9, "finished", "finished"), (0.7, "rejected", "skipped")]
)
def test_a_gate_that_breaks_rejects_the_run_and_skips_what_comes_after(bench, value, status, after):
    bench.executor.does["a"] = returns(accuracy=value)
    state = bench.run(
        stages(CHAIN) | {"a": {"uses": "mystages.free", "require": {"accuracy": ">= 0.8"}}}
    )
    assert (state.status, state.stages["a"].state, state.stages["c"].state) == (
        status,
        status,
        after,
    )
    assert state.stages["a"].gates == [
        {"metric": "accuracy", "rule": ">= 0.8", "value": value, "passed": value > 0.8}
    ]


def test_the_artifact_of_a_rejected_stage_is_kept_and_its_gate_asked_again(bench):
    bench.executor.does["a"] = returns(accuracy=0.7)
    gated = {"a": {"uses": "mystages.free", "require": {"accuracy": ">= 0.8"}}}
    bench.run(gated)
    state = bench.run(gated)
    assert (state.status, state.stages["a"].cached, bench.executor.launched) == (
        "rejected",
        True,
        [],
    )
    gated["a"]["require"] = {"accuracy": ">= 0.6"}
    assert bench.run(gated).status == "finished"
    assert bench.executor.launched == []


def test_a_gate_on_a_metric_that_was_not_returned_breaks(bench):
    state = bench.run({"a": {"uses": "mystages.free", "require": {"accuracy": ">= 0.8"}}})
    assert (state.status, state.stages["a"].gates[0]["value"]) == ("rejected", None)


def test_a_gate_may_say_that_it_is_not_judged_without_its_metric(bench):
    rule = "<= 0 if measured"
    state = bench.run(
        stages(CHAIN) | {"a": {"uses": "mystages.free", "require": {"critical": rule}}}
    )
    assert (state.status, state.stages["c"].state) == ("finished", "finished")
    assert state.stages["a"].gates == [
        {"metric": "critical", "rule": rule, "value": None, "passed": None}
    ]


# --- reports


def test_an_end_is_reported_after_all_that_the_stage_said(bench):
    def talk(folder, attempt):
        (folder / "events.jsonl").write_text('{"event": "note", "text": "chosen", "time": 1}\n')
        return writes(folder, attempt)

    bench.executor.does["a"] = talk
    bench.run(stages({"a": []}))
    assert bench.kinds("job_started", "note", "job_finished") == [
        ("job_started", "a"),
        ("note", "a"),
        ("job_finished", "a"),
    ]


def test_points_and_figures_are_kept_and_told_again_when_the_store_has_them(bench):
    def talk(folder, attempt):
        (folder / "events.jsonl").write_text(
            '{"event": "metric", "name": "loss", "value": 0.5, "step": 3, "time": 7}\n'
        )
        return returns(accuracy=0.9)(folder, attempt)

    bench.executor.does["a"] = talk
    first, again = (bench.run(stages({"a": []})).stages["a"] for _ in range(2))
    assert first.metrics == again.metrics == {"accuracy": 0.9}
    assert again.cached and again.points == [("loss", 3, 0.5, 7)]


# --- any DAG


def _bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("run"))


ANY = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@ANY
@given(dag=dags(), cpus=st.integers(1, 4), data=st.data())
def test_in_any_dag_every_stage_runs_once_after_what_it_needs_and_no_more_at_once_than_allowed(
    tmp_path_factory, dag, cpus, data
):
    bench = _bench(tmp_path_factory)
    bench.executor.pick = lambda running: data.draw(st.sampled_from(running))
    state = bench.run(stages(dag), cpus=cpus)
    assert (state.status, Counter(bench.executor.launched)) == ("finished", Counter(list(dag)))
    assert _most(bench) <= cpus
    done: set[str] = set()
    for kind, stage in bench.kinds("job_started", "job_finished"):
        if kind == "job_started":
            assert set(dag[stage]) <= done
        else:
            done.add(stage)


@ANY
@given(dag=dags(), cpus=st.integers(1, 4), data=st.data())
def test_in_any_dag_a_failure_takes_with_it_what_needs_it_and_nothing_else(
    tmp_path_factory, dag, cpus, data
):
    bench = _bench(tmp_path_factory)
    broken = data.draw(st.sets(st.sampled_from(sorted(dag))))
    bench.executor.does = dict.fromkeys(broken, fails)
    state = bench.run(stages(dag), cpus=cpus)
    for name in dag:
        wanted = (
            "skipped"
            if ancestors(dag, name) & broken
            else "failed"
            if name in broken
            else "finished"
        )
        assert state.stages[name].state == wanted
    bench.executor.does = {}
    assert bench.run(stages(dag), cpus=cpus).status == "finished"
    assert set(bench.executor.launched) == {
        name for name in dag if (ancestors(dag, name) | {name}) & broken
    }


def test_an_exclusive_job_runs_alone(bench):
    bench.run(stages(BESIDE, resources={"exclusive": True}), cpus=4)
    assert max(map(len, bench.executor.at_once)) == 1


def _lists(folder, attempt):
    """Write the contents of the folder input's entries."""
    job = json.loads((folder / "job.json").read_text())
    entries = sorted(Path(job["inputs"]["all"]).iterdir())
    said = [f"{entry.name}: {entry.read_text()}" for entry in entries]
    Path(job["outputs"]["data"]).write_text("; ".join(said))
    return 0


def test_a_damaged_entry_of_a_folder_input_is_made_again(bench):
    reads = {"inputs": {"all": "a@*.data", "after": "c.data"}, "outputs": ["data"]}
    made = {
        **stages({"a@0": [], "a@1": [], "c": ["m"]}),
        "m": {"command": ["m", "{outputs.data}"], "inputs": {"x": "a@1.data"}, "outputs": ["data"]},
        "b": {"command": ["b", "{inputs.all}", "{outputs.data}"], **reads},
    }
    bench.executor.does |= {"b": _lists, "c": _spoils(bench, "a@1")}
    state = bench.run(made)
    assert (state.status, bench.executor.launched[-3:]) == ("finished", ["c", "a@1", "b"])
    assert (bench.run_dir / "artifacts" / "b" / "data").read_text() == "0: a@0 (); 1: a@1 ()"


def test_a_folder_input_changes_the_job_if_an_entry_does(bench):
    reads = {"inputs": {"all": "a@*.data"}, "outputs": ["data"]}
    last = {"b": {"command": ["b", "{inputs.all}", "{outputs.data}"], **reads}}
    bench.executor.does["b"] = _lists
    bench.run({**stages({"a@0": [], "a@1": []}), **last})
    state = bench.run({**stages({"a@0": [], "a@2": []}), **last})
    assert (state.stages["a@0"].cached, state.stages["b"].cached) == (True, False)
    assert (bench.run_dir / "artifacts" / "b" / "data").read_text() == "0: a@0 (); 2: a@2 ()"
