"""Whole searches: pruning, several objectives, several workers, and how they continue."""

import json
import signal

import pytest

from engine.sweeps import record

pytestmark = pytest.mark.slow  # whole sweeps, some in several processes
pytest.importorskip("optuna")
OPTUNA = ("-m", "usecase=one", "hydra/sweeper=optuna", "hydra.sweeper.seed=1")
# Hangs if it is worse than the median of the earlier jobs, so that only pruning ends it.
HANGS = """
    import statistics, time
    from pathlib import Path
    from typing import TypedDict
    from engine.stage import Out, metric
    class Result(TypedDict):
        score: float
    def only(data: Out, *, n: float, file: str) -> Result:
        before = Path(file)
        seen = [float(line) for line in before.read_text().split()] if before.exists() else []
        metric("val_score", n, step=0)
        if seen and n < statistics.median(seen):
            time.sleep(600)
        with before.open("a") as known:
            known.write(f"{n}\\n")
        data.write_text("1")
        return {"score": n}
"""
# Hangs at its third run, unless there is the file "go".
THIRD = """
    import time
    from pathlib import Path
    from typing import TypedDict
    from engine.stage import Out
    class Result(TypedDict):
        score: float
        size_bytes: float
    def only(data: Out, *, n: float, file: str) -> Result:
        count = len(list(Path(file).parent.glob("ran-*")))
        Path(file).with_name(f"ran-{n}").touch()
        if count == 2 and not Path(file).with_name("go").exists():
            time.sleep(600)
        data.write_text("1")
        return {"score": n, "size_bytes": 10 * n}
"""
USECASE = """
    params: {{n: 0.5}}
    objective: {objective}
    stages:
      s: {{uses: mystages.only, params: {{n: "${{params.n}}", file: "{file}"}}}}
"""


@pytest.fixture
def searched(project):
    """A folder with a stage that has one parameter, and a use case for it."""

    def make(stage: str, objective: str = "s.score"):
        project.stage("only", stage)
        file = project.path / "values"
        project.usecase("one", USECASE.format(objective=objective, file=file))
        return project

    return make


def sweep(project) -> record.Sweep:
    (folder,) = (project.outputs / "sweeps").iterdir()
    return record.read(folder)


def test_jobs_that_promise_little_are_pruned_and_the_search_succeeds(searched):
    project = searched(HANGS)
    pruned = ("hydra.sweeper.prune_by=s.val_score", "hydra.sweeper.pruner.n_startup_trials=1")
    result = project.run(
        *OPTUNA,
        "params.n=interval(0,1)",
        "hydra.sweeper.n_trials=6",
        *pruned,
        "sinks=[console,report]",
    )
    assert result.returncode == 0, result.stderr
    jobs = sweep(project).jobs
    states = [job.state for job in jobs]
    assert len(jobs) == 6 and {*states} == {"finished", "pruned"}, result.stdout
    best = max(job.facts.values["s.score"] for job in jobs if job.state == "finished")
    link = next(project.outputs.glob("one/*/latest"))
    assert json.loads((link / "metrics.json").read_text())["s.score"] == best
    cut = sweep(project).run_dir(next(job for job in jobs if job.state == "pruned"))
    assert json.loads((cut / "run.json").read_text())["status"] == "pruned"
    state = project.state(cut)
    assert (state.status, state.stages["s"].state) == ("pruned", "skipped")
    assert "s.val_score is" in state.stages["s"].because
    assert "Pruned" in (cut / "report.html").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_the_same_command_continues_a_search(searched, number):
    project = searched(THIRD)
    words = (*OPTUNA, "params.n=interval(0,1)", "hydra.sweeper.n_trials=4")
    engine = project.start(*words)
    project.until(lambda: len(project.runs) == 3 and "job_started" in str(project.events()))
    engine.send_signal(number)
    engine.communicate(timeout=300)
    before = [job.facts.changes for job in sweep(project).jobs]
    (project.path / "go").touch()
    result = project.run(*words)
    assert result.returncode == 0, result.stderr
    jobs = sweep(project).jobs
    assert [job.state for job in jobs] == ["finished"] * 4
    assert [job.facts.changes for job in jobs[:3]] == before[:3]
    assert len({job.facts.changes for job in jobs}) == 4
    assert len(project.runs) == 5  # the third job ran twice, and the first two once
    assert "job 1 of 4" not in result.stdout and "job 3 of 4" in result.stdout


def test_a_search_for_several_objectives_ends_with_the_front_and_the_rule(searched):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    aims = '{maximise: s.score, minimise: s.size_bytes, best: {limits: {s.size_bytes: "<= 8"}}}'
    project = searched(THIRD, aims)
    (project.path / "go").touch()
    workers = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2")
    result = project.run(*OPTUNA, "params.n=interval(0,1)", "hydra.sweeper.n_trials=4", *workers)
    assert result.returncode == 0, result.stderr
    jobs = sweep(project).jobs
    within = [job for job in jobs if job.facts.values["s.size_bytes"] <= 8]
    best = max(within, key=lambda job: job.facts.values["s.score"])
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"front jobs {', '.join('123')} and 4 (+)" in lines
    assert any(
        line.startswith(f"best job {best.number} (")
        and line.endswith("by rule: highest s.score with s.size_bytes <= 8")
        for line in lines
    ), result.stdout
    page = (sweep(project).path / "report.html").read_text()
    assert "Pareto front" in page and 'class="front"' in page
    assert sweep(project).end.best == best.number


def test_a_grid_ends_when_it_is_complete(searched):
    project = searched(THIRD)
    (project.path / "go").touch()
    result = project.run(*OPTUNA, "params.n=choice(0.1,0.2)", "hydra/sweeper/sampler=grid")
    assert result.returncode == 0, result.stderr
    changes = {change for job in sweep(project).jobs for change in job.facts.changes}
    assert changes == {"params.n=0.1", "params.n=0.2"}


def test_a_mistake_is_reported_before_anything_starts(searched):
    project = searched(THIRD)
    result = project.run(*OPTUNA, "params.n=interval(0,1)", "hydra.sweeper.prune_by=t.val_score")
    assert (result.returncode, project.runs) == (2, [])
    assert result.stderr.splitlines()[0] == "hydra.sweeper.prune_by=t.val_score"
    assert not [*project.outputs.glob("sweeps/*")]
