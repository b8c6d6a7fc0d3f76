"""What a job carries from a node that does not share the outputs folder."""

import shutil

import pytest

from engine.sweeps import carried, record
from engine.sweeps.carried import Carried
from engine.sweeps.record import Asked

ASKED = Asked(command=("run.py",), folder="/", started=1.8e9, count=1)
RUN = "one/rpi4/20270115-080000-000-abcd"


@pytest.fixture
def here(tmp_path):
    """The record of a sweep on the machine that started it."""
    return record.create(tmp_path / "here" / "sweeps", ASKED)


@pytest.fixture
def there(here, tmp_path):
    """The same folder on a node, where a job has run."""
    folder = tmp_path / "there" / "sweeps" / here.name
    record.append(folder, 1, began=1.0, run=RUN)
    record.append(folder, 1, ended=2.0, exit=0, status="finished", values={"s.score": 0.5})
    run_dir = tmp_path / "there" / RUN
    for name in ("journal.jsonl", "logs/s.log", "artifacts/s/data", "mlflow.json"):
        (run_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (run_dir / name).write_text(name)
    return folder


def test_a_shared_outputs_folder_needs_no_carrying(here):
    assert carried.pack(here, 1, 0.5) == 0.5
    carried.unpack(0.5, here.parents[1])
    carried.unpack(None, here.parents[1])


def test_the_facts_and_the_journal_arrive_and_the_artifacts_stay(here, there):
    made = carried.pack(there, 1, 0.5)
    shutil.rmtree(there.parents[1])
    carried.unpack(made, here.parents[1])
    job = record.read(here).jobs[0]
    assert (job.state, job.facts.values, job.facts.is_elsewhere) == (
        "finished",
        {"s.score": 0.5},
        True,
    )
    run_dir = here.parents[1] / RUN
    arrived = {
        path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*") if path.is_file()
    }
    assert arrived == {"journal.jsonl", "logs/s.log"}
    assert made.objective == 0.5


def test_a_job_without_a_run_carries_its_facts(here, tmp_path):
    folder = tmp_path / "there" / "sweeps" / here.name
    record.append(folder, 1, began=1.0)
    record.append(folder, 1, ended=2.0, exit=2, message="params.n=x: no number")
    carried.unpack(carried.pack(folder, 1, None), here.parents[1])
    assert record.read(here).jobs[0].facts.message == "params.n=x: no number"


def test_a_link_is_not_followed(here, there):
    (there.parents[1] / RUN / "logs" / "secret").symlink_to("/etc/passwd")
    assert not any("secret" in name for name in carried.pack(there, 1, None).files)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x"])
def test_nothing_is_written_elsewhere(tmp_path, name):
    with pytest.raises(ValueError, match="below the outputs folder"):
        carried.unpack(Carried(None, {name: b"x"}), tmp_path / "outputs")
    assert not list(tmp_path.iterdir())
