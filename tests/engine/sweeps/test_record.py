"""The record of a sweep: facts of jobs that any process appends, and any other reads."""

import json
import math

import pytest

from engine import locks
from engine.sweeps import record
from engine.sweeps.record import Asked, End

ASKED = Asked(
    command=("python", "run.py", "-m", "params.n=1,2,3"),
    folder="/here",
    started=1_800_000_000.0,
    keys=("params.n",),
    count=3,
)


@pytest.fixture
def folder(tmp_path):
    return record.create(tmp_path / "outputs" / "sweeps", ASKED)


def begin(folder, number: int) -> None:
    record.append(folder, number, began=1.0, changes=[f"params.n={number}"])


def end(folder, number: int, code: int = 0, **facts) -> None:
    begin(folder, number)
    record.append(folder, number, run=f"one/x86_64/{number}", **facts)
    record.append(folder, number, ended=2.0, exit=code)


def states(folder, **options) -> list[str]:
    return [job.state for job in record.read(folder, **options).jobs]


def test_it_says_what_was_asked_for(folder):
    found = record.read(folder)
    assert (found.asked, found.id, found.end) == (ASKED, folder.name, None)
    assert found.id.startswith("20270115-080000-")


def test_a_job_has_the_state_of_its_run(folder):
    end(folder, 1, status="finished")
    end(folder, 2, 1, status="rejected")
    end(folder, 3, 1, status="failed")
    assert states(folder) == ["finished", "rejected", "failed"]


def test_a_job_that_was_refused_or_interrupted_says_so(folder):
    end(folder, 1, record.REFUSED)
    end(folder, 2, record.INTERRUPTED)
    assert states(folder) == ["refused", "interrupted", "waiting"]


def test_a_job_without_an_end_runs_while_its_sweep_runs(folder):
    begin(folder, 1)
    assert states(folder) == ["interrupted", "waiting", "waiting"]
    with locks.held(folder / record.LOCK_FILE) as is_ours:
        assert is_ours and record.read(folder).is_running
        assert states(folder) == ["running", "waiting", "waiting"]


def test_a_job_without_an_end_has_failed_if_its_sweep_ended(folder):
    begin(folder, 1)
    assert states(folder, now="ended")[0] == "failed"
    record.finish(folder, End(ended=9.0, status=1))
    assert states(folder)[0] == "failed"


def test_the_worst_job_decides_the_status(folder):
    for number, status in ((1, 0), (2, 2), (3, 1)):
        end(folder, number, status)
    assert record.read(folder).status == 2


def test_all_well_is_0(folder):
    for number in (1, 2, 3):
        end(folder, number)
    assert record.read(folder).status == 0


@pytest.mark.parametrize("ended", [(), (1, 2), (1, 3)])
def test_a_job_that_left_no_facts_has_failed(folder, ended):
    for number in ended:
        end(folder, number)
    assert record.read(folder).status == 1


def test_a_job_that_begins_again_forgets_its_first_attempt(folder):
    end(folder, 1, 1, status="failed", message="no pictures")
    begin(folder, 1)
    assert record.job(folder, 1).facts.message == ""


def test_numbers_that_json_lacks_are_kept(folder):
    end(folder, 1, values={"s.loss": math.inf, "s.x": math.nan})
    values = record.job(folder, 1).facts.values
    assert values["s.loss"] == math.inf and math.isnan(values["s.x"])


@pytest.mark.parametrize(
    "damage", ['{"exit": 0', '{"exit": "many"}', "[]", "\0", '{"values": {"a": []}}']
)
def test_a_damaged_line_is_left_out(folder, damage):
    begin(folder, 1)
    with (folder / "jobs" / "1.jsonl").open("a") as file:
        file.write(f"{damage}\n" + json.dumps({"message": "after it"}) + "\n")
    facts = record.job(folder, 1).facts
    assert (facts.changes, facts.exit, facts.message) == (("params.n=1",), None, "after it")


def test_a_damaged_record_is_no_sweep(folder):
    (folder / record.SWEEP_FILE).write_text("{}")
    assert record.read(folder) is None
    assert record.sweeps(folder.parents[1]) == []


def test_sweeps_are_listed_by_age(tmp_path):
    made = [
        record.create(tmp_path / "sweeps", ASKED.model_copy(update={"started": at}))
        for at in (2e9, 1e9)
    ]
    assert [one.path for one in record.sweeps(tmp_path)] == made[::-1]


def test_without_a_count_the_jobs_are_those_that_began(tmp_path):
    folder = record.create(tmp_path / "sweeps", ASKED.model_copy(update={"count": None}))
    assert states(folder) == []
    begin(folder, 7)
    assert [job.number for job in record.read(folder).jobs] == [7]


def test_a_job_whose_process_is_gone_has_died(folder):
    with record.hold(folder, 1) as is_locked:
        record.append(folder, 1, began=1.0, is_locked=is_locked)
        assert is_locked and not record.has_died(folder, 1)
    assert record.has_died(folder, 1)
    record.append(folder, 1, ended=2.0, exit=0)
    assert not record.has_died(folder, 1)


def test_without_locks_nobody_is_said_to_have_died(folder):
    record.append(folder, 1, began=1.0, is_locked=False)
    assert not record.has_died(folder, 1)
