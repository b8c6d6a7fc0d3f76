"""A worker that dies is the failure of its job only, whatever its launcher does then."""

from concurrent.futures import BrokenExecutor

import pytest

from engine import workers
from engine.sweeps import record
from engine.sweeps.carried import Carried
from engine.sweeps.record import Asked

ASKED = Asked(command=("run.py",), folder="/", started=1.8e9, count=4)
BATCH = [[f"n={number}"] for number in range(1, 5)]


class Result:
    def __init__(self, return_value=None):
        self.return_value = return_value


class Pool:
    """A launcher like joblib's, with two workers: it raises if one dies, which ends the other too."""

    def __init__(self, folder, kills=()):
        self.folder, self.kills, self.launched = folder, kills, []

    def launch(self, batch, initial_job_idx):
        self.launched.append([words[0] for words in batch])
        for at in range(0, len(batch), 2):
            numbers = [initial_job_idx + 1 + at + one for one in range(len(batch[at : at + 2]))]
            for number in numbers:
                record.append(self.folder, number, began=float(len(self.launched)))
            if set(self.kills) & set(numbers):
                raise RuntimeError("A worker was killed. This may be bad luck.\nSee the log.")
            for number in numbers:
                record.append(self.folder, number, ended=9.0, exit=0, status="finished")
        return [Result() for _ in batch]


@pytest.fixture
def folder(tmp_path):
    return record.create(tmp_path / "outputs" / "sweeps", ASKED)


def states(folder) -> list[str]:
    return [job.state for job in record.read(folder, "ended").jobs]


def test_without_a_death_there_is_one_launch(folder):
    pool = Pool(folder)
    workers.launch(pool, BATCH, 0, folder)
    assert (states(folder), len(pool.launched)) == (["finished"] * 4, 1)


def test_jobs_that_a_broken_pool_took_down_run_again_alone_and_the_rest_together(folder, capsys):
    pool = Pool(folder, kills=[2])
    workers.launch(pool, BATCH, 0, folder)
    assert states(folder) == ["finished", "failed", "finished", "finished"]
    assert pool.launched == [["n=1", "n=2", "n=3", "n=4"], ["n=1"], ["n=2"], ["n=3", "n=4"]]
    message = record.job(folder, 2).facts.message
    assert message == "its worker process died (RuntimeError: A worker was killed)"
    assert capsys.readouterr().err == f"job 2 failed: {message}\n"


def test_a_launcher_that_starts_nothing_raises(folder):
    class Refusing:
        def launch(self, batch, initial_job_idx):
            raise ValueError("no such queue")

    with pytest.raises(ValueError, match="no such queue"):
        workers.launch(Refusing(), BATCH, 0, folder)


@pytest.mark.parametrize(("deaths", "ended"), [(1, ["finished"] * 4), (9, ["failed"] * 4)])
def test_a_worker_may_die_before_a_job_has_begun(folder, deaths, ended):
    class Dying(Pool):
        def launch(self, batch, initial_job_idx):
            if len(self.launched) < deaths:
                self.launched.append([words[0] for words in batch])
                raise BrokenExecutor("A worker was killed")
            return super().launch(batch, initial_job_idx)

    pool = Dying(folder)
    workers.launch(pool, BATCH, 0, folder)
    assert (states(folder), pool.launched[1]) == (ended, ["n=1"])


def test_an_interrupt_is_not_a_death(folder):
    class Interrupted:
        def launch(self, batch, initial_job_idx):
            record.append(folder, 1, began=1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers.launch(Interrupted(), BATCH, 0, folder)
    assert record.job(folder, 1).facts.exit is None


def test_what_a_job_carries_is_unpacked(folder):
    class Distant:
        def launch(self, batch, initial_job_idx):
            return [Result(Carried(1.0, {f"one/{at}": b"x"})) for at, _ in enumerate(batch)]

    workers.launch(Distant(), BATCH[:2], 0, folder)
    assert sorted(path.name for path in (folder.parents[1] / "one").iterdir()) == ["0", "1"]
