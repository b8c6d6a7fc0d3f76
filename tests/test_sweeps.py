"""Whole sweeps: their exit status, their record, what they show at the end, and how they continue."""

import json
import os
import signal
import time

import pytest

from engine.sweeps import record

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
    [("1,2", 0, 2), ("1,13,100", 1, 3)],
    ids=["all well", "a failed job and a rejecting gate"],
)
def test_a_sweep_ends_as_its_worst_job_and_runs_the_others(swept, launcher, values, status, runs):
    result = swept.run("-m", "usecase=one", f"params.n={values}", *launcher)
    assert (result.returncode, len(swept.runs)) == (status, runs), result.stderr
    assert "Traceback" not in result.stderr


def test_all_jobs_are_checked_before_the_first_one_starts(swept, launcher):
    result = swept.run("-m", "usecase=one", "params.n=1,x,y", *launcher)
    lines = result.stderr.strip().splitlines()
    assert lines[::3] == ["params.n=x", "params.n=y"] and len(lines) == 6, result.stderr
    assert (result.returncode, result.stdout, swept.runs) == (2, "", [])


def test_a_mistake_in_the_file_is_reported_once_for_all_jobs(swept):
    swept.usecase("one", USECASE.replace("require:", "requires:"))
    result = swept.run("-m", "usecase=one", "params.n=1,2,3")
    lines = result.stderr.strip().splitlines()
    assert (result.returncode, len(lines)) == (2, 3), result.stderr


def test_named_jobs_are_checked_with_the_names_that_they_will_have(swept):
    for _ in range(2):
        result = swept.run("-m", "usecase=one", "params.n=1,2", "run_name=mine", "force=all")
        assert result.returncode == 0, result.stderr


def test_a_job_is_refused_if_only_its_turn_shows_the_mistake(swept):
    go = swept.path / "go"
    wait = f"import pathlib, time\n            while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)"
    swept.stage("only", ONLY.replace("raise SystemExit(3)", wait))
    engine = swept.start("-m", "usecase=one", "params.n=13,1")
    swept.until(lambda: "job_started" in str([swept.events(run) for run in swept.runs]))
    swept.stage("only", ONLY.replace("n: int", "m: int"))
    go.touch()
    out, err = engine.communicate(timeout=300)
    assert (engine.returncode, len(swept.runs)) == (2, 1), err
    assert "1 finished, 1 refused" in out


def test_a_worker_that_dies_is_the_failure_of_its_job_only(swept):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "import time; time.sleep(60)"))
    engine = swept.start("-m", "usecase=one", "params.n=1,13,2,3", *JOBLIB)
    kill_workers(swept, engine, job=2)
    out, err = engine.communicate(timeout=300)
    assert engine.returncode == 1, err
    assert "4 jobs" in out and "3 finished, 1 failed" in out, out
    assert "failed   job 2: its worker process died (" in out, out
    assert "Traceback" not in err


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


def test_the_workers_of_a_killed_sweep_end_with_it(swept):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "import time; time.sleep(600)"))
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=3")  # the third one has no job
    engine = swept.start("-m", "usecase=one", "params.n=13,1", *launcher)
    swept.until(lambda: "job_started" in str([swept.events(run) for run in swept.runs]))
    engine.kill()
    engine.communicate(timeout=300)
    swept.until(lambda: not swept.processes(), within_s=60)


def test_a_sweep_ends_with_its_jobs_in_order_and_the_command_of_the_best(swept, launcher):
    result = swept.run("-m", "usecase=one", "params.n=2,13,100,50", *launcher)
    start = result.stdout.index("\nsweep ")
    lines = [line.split() for line in result.stdout[start:].strip().splitlines()]
    assert " ".join(lines[0][2:4] + lines[0][-6:]) == ("4 jobs 2 finished, 1 rejected, 1 failed")
    assert lines[1] == ["job", "n", "s.score", "state", "gates", "took"]
    found = [row[:4] for row in lines[2:6]]
    assert found[:3] == [
        ["1", "*", "2", "2"],  # its gate asks for less
        ["4", "50", "50", "finished"],
        ["3", "100", "100", "rejected"],
    ]
    assert [row[:3] for row in found[3:]] == [["2", "13", "failed"]]
    assert lines[6][0] == "report" and lines[7] == ["best", "job", "1", "(n=2)"]
    assert lines[8][-1] == "params.n=2"
    assert [" ".join(line) for line in lines[9:]] == [
        "failed job 2: s: it ended with exit status 3",
    ]


def test_the_record_names_runs_relative_to_outputs_so_that_these_can_be_moved(swept, launcher):
    swept.run("-m", "usecase=one", "params.n=1,2", "outputs=outputs", *launcher)
    (folder,) = (swept.outputs / "sweeps").iterdir()
    moved = swept.outputs.rename(swept.path / "moved")
    sweep = record.read(moved / "sweeps" / folder.name)
    assert [sweep.run_dir(job) is not None for job in sweep.jobs] == [True, True]
    assert all(job.facts.run.startswith("one/") for job in sweep.jobs)


def test_a_continued_sweep_waits_for_a_job_that_still_runs(swept):
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "import time; time.sleep(60)"))
    engine = swept.start("-m", "usecase=one", "params.n=1,13")
    swept.until(lambda: len(swept.runs) == 2 and "job_started" in str(swept.events()))
    engine.kill()
    engine.communicate(timeout=300)
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "pass"))
    (folder,) = (swept.outputs / "sweeps").iterdir()
    with record.hold(folder, 2):  # as the process that runs the job on another node does
        again = swept.start("-m", "usecase=one", "params.n=1,13")
        swept.until(lambda: len(swept.runs) == 3)  # job 1 runs again, because its stage has changed
        swept.until(lambda: swept.state(swept.last).status == "finished")
        assert again.poll() is None and len(swept.runs) == 3
    assert again.wait(300) == 0 and len(swept.runs) == 4
    again.communicate()


def test_latest_is_the_best_job_that_passed_its_gates(swept):
    swept.run("-m", "usecase=one", "params.n=50,2,7,100,13")
    link = next(swept.outputs.glob("one/*/latest"))
    assert swept.state(link).start["params"] == {"n": 2}


def test_each_job_says_which_of_how_many_it_is_and_what_differs(swept, launcher):
    swept.usecase("one", USECASE.replace("n: 1", "n: 1, k: 2"))
    result = swept.run("-m", "usecase=one", "params.n=1,2", "params.k=3", *launcher)
    lines = [line.rpartition("| ")[2] for line in result.stdout.splitlines()]
    assert {line for line in lines if line.startswith("job ") and " · " in line} == {
        "job 1 of 2 · n=1",
        "job 2 of 2 · n=2",
    }
    assert all("params.n" not in line for line in lines if line.startswith("changed:"))


def test_every_line_of_a_parallel_job_is_labelled(swept):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    result = swept.run("-m", "usecase=one", "params.n=1,2", *JOBLIB)
    jobs = result.stdout[: result.stdout.index("\nsweep ")]
    assert {line[:8] for line in jobs.splitlines()} == {"job 1 | ", "job 2 | "}, result.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_the_same_command_continues_a_sweep(swept, number):
    slow = ONLY.replace("raise SystemExit(3)", "import time; time.sleep(60)")
    swept.stage("only", slow)
    words = ("-m", "usecase=one", "params.n=1,13,2")
    engine = swept.start(*words)
    swept.until(lambda: len(swept.runs) == 2 and "job_started" in str(swept.events()))
    engine.send_signal(number)
    out, _ = engine.communicate(timeout=300)
    assert ("continue" in out) is (number == signal.SIGINT)
    (folder,) = (swept.outputs / "sweeps").iterdir()
    again = swept.start(*words)
    swept.until(lambda: len(swept.runs) == 3 and "job_started" in str(swept.events()))
    again.kill()
    assert "job 1 of 3 · n=1: finished before, s.score 1" in again.communicate(timeout=300)[0]
    assert [path.name for path in (swept.outputs / "sweeps").iterdir()] == [folder.name]


def test_a_continued_sweep_runs_a_job_again_if_its_stage_has_changed(swept):
    swept.stage("only", ONLY.replace("raise SystemExit(3)", "import time; time.sleep(60)"))
    engine = swept.start("-m", "usecase=one", "params.n=1,13")
    swept.until(lambda: len(swept.runs) == 2)
    engine.kill()
    engine.communicate(timeout=300)
    swept.stage("only", ONLY.replace('"score": n', '"score": n + 40'))
    result = swept.run("-m", "usecase=one", "params.n=1,13")
    assert "s finished" in result.stdout and " 41 " in result.stdout, result.stdout
    assert len(list((swept.outputs / "sweeps").iterdir())) == 1


def test_after_its_end_the_same_command_is_a_new_sweep(swept):
    for _ in range(2):
        swept.run("-m", "usecase=one", "params.n=1,13")
    assert len(list((swept.outputs / "sweeps").iterdir())) == 2


def test_a_sweep_in_which_nothing_ran_leaves_no_record(swept):
    result = swept.run("-m", "usecase=one", "params.n=x,y")
    assert (result.returncode, result.stdout) == (2, "")
    assert list((swept.outputs / "sweeps").iterdir()) == []


def test_a_sweep_of_another_command_leaves_no_record(swept):
    result = swept.run("-m", "plan", "usecase=one", "params.n=1,2")
    assert result.returncode == 0, result.stderr
    assert "sweep" not in result.stdout and not (swept.outputs / "sweeps").exists()


def test_a_job_in_a_worker_may_read_no_more_of_the_environment(swept, launcher, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "17")
    swept.usecase("one", USECASE.replace("n: 1", 'n: "${oc.env:MY_SECRET}", k: 1'))
    result = swept.run("-m", "usecase=one", "params.k=1,2", *launcher)
    assert (
        result.returncode == 2 and "YAML may not read the environment variable" in result.stderr
    ), result.stderr


def kill_workers(project, engine, job: int) -> None:
    """Kill each worker that runs this job, which a broken pool makes the sweep try again alone."""
    killed = set()
    while engine.poll() is None:
        for folder in (project.outputs / "sweeps").glob("*"):
            facts = record.job(folder, job).facts
            if facts.run and facts.exit is None and facts.began not in killed:
                killed.add(facts.began)
                os.kill(pid_of(folder, job), signal.SIGKILL)
        time.sleep(0.05)


def pid_of(folder, job: int) -> int:
    """Return the process that runs the job."""
    lines = (folder / "jobs" / f"{job}.jsonl").read_text().splitlines()
    return next(fact["pid"] for fact in map(json.loads, reversed(lines)) if "pid" in fact)
