"""A sweep's exit status is that of its worst job, with each launcher."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow  # whole sweeps, some in several processes
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
ONLY = """
    from typing import TypedDict
    from engine.stage import Out
    class Result(TypedDict):
        score: float
    def only(data: Out, *, n: int) -> Result:
        data.write_text("1")
        if n == 13:
            raise SystemExit(3)
        return {"score": n}
"""
USECASE = """
    params: {n: 1}
    objective: s.score
    stages:
      s: {uses: mystages.only, params: {n: "${params.n}"}, require: {score: "< 100"}}
"""


@pytest.fixture
def swept(project):
    """A folder with a stage that fails for the value 13, and a gate that rejects 100."""
    project.stage("only", ONLY)
    project.usecase("one", USECASE)
    return project


@pytest.fixture(params=[(), JOBLIB], ids=["basic", "joblib"])
def launcher(request):
    if request.param:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    return request.param


@pytest.mark.parametrize(
    ("values", "status", "runs"),
    [("1,2", 0, 2), ("1,13,100", 1, 3), ("13,x,1", 2, 2)],
    ids=["all well", "a failed job and a rejecting gate", "a failure and a mistake"],
)
def test_a_sweep_ends_as_its_worst_job_and_runs_the_others(swept, launcher, values, status, runs):
    result = swept.run("-m", "usecase=one", f"params.n={values}", *launcher)
    assert (result.returncode, len(swept.runs)) == (status, runs), result.stderr
    assert "Traceback" not in result.stderr
    assert not list((swept.outputs / ".engine" / "sweeps").glob("statuses-*"))


def test_a_mistake_of_one_job_is_reported_in_three_lines(swept, launcher):
    result = swept.run("-m", "usecase=one", "params.n=1,x,y", *launcher)
    lines = result.stderr.strip().splitlines()
    first = sorted(lines[::3])  # joblib runs the jobs at the same time
    assert (first, len(lines)) == (["params.n=x", "params.n=y"], 6), result.stderr


def test_jobs_after_a_mistake_run_also_one_by_one(swept):
    result = swept.run("-m", "usecase=one", "params.n=x,1", "hydra.sweeper.max_batch_size=1")
    assert (result.returncode, len(swept.runs)) == (2, 1), result.stderr


def test_a_job_whose_worker_is_killed_has_failed(swept):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "import time; time.sleep(60)"))
    engine = swept.start("-m", "usecase=one", "params.n=13,1", *JOBLIB)
    swept.until(
        lambda: (
            any("started" in str(swept.events(run)) for run in swept.runs)
            or engine.poll() is not None
        )
    )
    for pid in workers(engine.pid):
        os.kill(pid, signal.SIGKILL)
    _, err = engine.communicate(timeout=300)
    assert engine.returncode == 1, err
    assert not list((swept.outputs / ".engine" / "sweeps").glob("statuses-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_parallel_sweep_has_been_interrupted(swept, number):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "import time; time.sleep(60)"))
    engine = swept.start("-m", "usecase=one", "params.n=13,1", *JOBLIB, start_new_session=True)
    swept.until(
        lambda: (
            any("job_started" in str(swept.events(run)) for run in swept.runs)
            or engine.poll() is not None
        )
    )
    os.killpg(engine.pid, number) if number == signal.SIGINT else engine.send_signal(number)
    _, err = engine.communicate(timeout=300)
    assert engine.returncode == 130, err
    swept.until(lambda: not swept.processes())
    assert not list((swept.outputs / ".engine" / "sweeps").glob("statuses-*"))


def test_a_job_in_a_worker_may_read_no_more_of_the_environment(swept, launcher, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "17")
    swept.usecase("one", USECASE.replace("n: 1", 'n: "${oc.env:MY_SECRET}", k: 1'))
    result = swept.run("-m", "usecase=one", "params.k=1,2", *launcher)
    assert (
        result.returncode == 2 and "YAML may not read the environment variable" in result.stderr
    ), result.stderr


def workers(parent: int) -> list[int]:
    """Return the processes that the launcher started to run jobs."""
    found = []
    for folder in os.listdir("/proc"):
        try:
            with (
                open(f"/proc/{folder}/cmdline", "rb") as file,
                open(f"/proc/{folder}/stat") as stat,
            ):
                if (
                    b"loky" in file.read()
                    and int(stat.read().rpartition(")")[2].split()[1]) == parent
                ):
                    found.append(int(folder))
        except (OSError, ValueError):
            continue
    return found
