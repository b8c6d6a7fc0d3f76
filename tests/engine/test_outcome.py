"""The outcome of an attempt: its record in the store, or the kind of failure and the reason."""

import json
from dataclasses import replace

import pytest

from engine import jobfolder
from engine.jobfolder import Ended
from engine.outcome import TIMEOUT, Attempt, Failure, Judge, timeout_s
from engine.plan import ResolvedAsset
from engine.store import Record

FREE = {"uses": "mystages.free"}


class Trial:
    """One attempt at the stage `s`, with a real layout and an end that the test defines."""

    def __init__(self, bench, keys, asset=None) -> None:
        self.bench, given = bench, {"mine": asset} if asset else {}
        plan = bench.plan({"s": keys}, given)
        self.planned = plan.jobs["s"]
        self.assets: dict[str, ResolvedAsset] = dict(plan.assets)
        bench.run_dir.joinpath("log").touch()
        self.folder = jobfolder.lay_out(
            bench.folder / "s-1", self.planned, {}, self.assets, bench.store
        )

    def write(self, text: str = "done", **result: object) -> None:
        """Write the output and the stage's result."""
        (self.folder.path / "out" / "data").write_text(text)
        self.say(**result)

    def say(self, **result: object) -> None:
        """Write result.json."""
        (self.folder.path / "result.json").write_text(json.dumps(result))

    def ends(
        self, status: int | None, *, ending: str | None = None, **ended: object
    ) -> Record | Failure:
        """Return the outcome of the attempt."""
        attempt = Attempt(
            folder=self.folder,
            log=self.bench.run_dir / "log",
            ended=Ended("s", status, 0.5, **ended),
            ending=ending,
        )
        return Judge(self.bench.store, self.assets, self.bench.folder).outcome(attempt)


@pytest.fixture
def trial(bench):
    """An attempt at a stage without inputs."""
    return Trial(bench, FREE)


def test_a_success_is_a_record_that_the_store_has(trial, bench):
    trial.write(metrics={"accuracy": 0.5})
    record = trial.ends(0)
    assert isinstance(record, Record) and bench.store.find(record.fingerprint) == record
    assert (record.metrics, record.seconds, set(record.outputs)) == (
        {"accuracy": 0.5},
        0.5,
        {"data"},
    )


def test_a_missing_output_is_a_bad_one(trial):
    assert trial.ends(0).kind == "bad_output"


def test_a_failure_has_the_words_of_the_stage(trial):
    trial.say(error="no pictures")
    assert trial.ends(1) == Failure("failed", "no pictures")


def test_a_failure_without_words_has_its_exit_status(trial):
    failure = trial.ends(3)
    assert failure.kind == "failed" and "3" in failure.message


def test_a_signal_has_killed(trial):
    failure = trial.ends(-11)
    assert failure.kind == "killed" and "11" in failure.message


def test_a_process_that_was_lost_counts_as_killed(trial):
    assert trial.ends(None).kind == "killed"


def test_what_the_engine_ended_was_killed_for_that_reason(trial):
    trial.write()
    assert trial.ends(-15, ending="the run was interrupted") == Failure(
        "killed", "the run was interrupted", is_on_request=True
    )


def test_an_attempt_that_came_too_late_fails_although_it_ended_well(bench):
    trial = Trial(bench, {**FREE, "timeout": "90s"})
    trial.write()
    failure = trial.ends(0, ending=TIMEOUT)
    assert failure.kind == "timeout" and "90 s" in failure.message


def test_an_emulated_job_has_ten_times_as_long(bench):
    job = Trial(bench, {**FREE, "timeout": "90s"}).planned.job
    emulated = replace(job, placement=replace(job.placement, emulated=True))
    assert (timeout_s(job), timeout_s(emulated)) == (90, 900)


def test_the_executor_knows_why_a_stage_failed(trial):
    assert trial.ends(127, kind="no_command", why="no such program") == Failure(
        "no_command", "no such program"
    )


def test_a_status_that_the_stage_chose_is_no_guess_of_the_executors(trial):
    trial.say(exit_status=127)
    assert trial.ends(127, kind="no_command", why="no such program").kind == "failed"


def test_a_limit_of_memory_was_reached_whatever_the_stage_chose(trial):
    trial.say(exit_status=1)
    assert trial.ends(1, kind="out_of_memory", why="512M").kind == "out_of_memory"


def test_a_full_disk_is_read_from_the_log(trial, bench):
    (bench.run_dir / "log").write_text("OSError: [Errno 28] No space left on device\n")
    failure = trial.ends(1)
    assert failure.kind == "disk_full" and "bytes are free" in failure.message


def test_nothing_is_kept_of_an_attempt_whose_input_changed(bench):
    mine = bench.folder / "mine.txt"
    mine.write_text("before")
    (bench.folder / "mystages" / "reads.py").write_text(
        "from engine.stage import In, Out\ndef reads(given: In, data: Out) -> None: ...\n"
    )
    trial = Trial(bench, {"uses": "mystages.reads", "inputs": {"given": "asset:mine"}}, mine)
    trial.write()
    mine.write_text("after, and longer")
    failure = trial.ends(0)
    assert failure.kind == "input_changed" and "asset:mine" in failure.message
    assert not list((bench.store.root / "actions").glob("*/*.json"))
