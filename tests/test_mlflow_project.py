"""A stage that is an MLflow Project, run from the command line: real projects, processes and MLflow."""

import json
import os
import signal
import sqlite3
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")
pytestmark = pytest.mark.slow  # each project imports MLflow, and makes a database

LOGS = """
    import json, os, pathlib, sys
    import mlflow
    rows, rate, title, model = sys.argv[1:]
    with mlflow.start_run():
        mlflow.log_param("rate", float(rate))
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"rmse": 0.7, "odd": float("nan")})
        mlflow.log_metric("odd", float("-inf"), step=1)
        mlflow.log_text("hello", "notes/a.txt")
        for number in range(2):
            with mlflow.start_run(nested=True, run_name=f"trial {number}"):
                mlflow.log_metric("score", number)
    own = {"title": title, "rows": open(rows).read(), "here": sorted(os.listdir("."))}
    pathlib.Path(model).write_text(json.dumps(own))
    pathlib.Path("train.py").write_text("changed by itself")
"""
MAIN = {
    "parameters": {
        "rows": "path",
        "rate": {"type": "float", "default": 0.1},
        "title": {"type": "string", "default": "none"},
        "model": "path",
    },
    "command": "python train.py {rows} {rate} {title} {model}",
}
STAGE: dict[str, Any] = {
    "mlproject": {"uri": "fit"},
    "inputs": {"rows": "asset:rows"},
    "outputs": ["model"],
}


def _write(project: Project, train: str = LOGS, more: dict[str, Any] | None = None, **keys: Any):
    """Write the project, and the use case `one` that runs it as the stage `s`."""
    folder = project.path / "fit"
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(train))
    (folder / "MLproject").write_text(json.dumps({"name": "fit", "entry_points": {"main": MAIN}}))
    (project.path / "rows").write_text("1,2\n")
    stages = {"s": {**STAGE, **keys}, **(more or {})}
    rows = {"rows": str(project.path / "rows")}
    project.usecase("one", json.dumps({"name": "one", "assets": rows, "stages": stages}))


def _artifact(project: Project, name: str) -> Path:
    return project.last / "artifacts" / "s" / name


def test_metrics_curves_and_runs_of_a_project_are_those_of_its_stage(project):
    require = {"rmse": "<= 0.8", "loss": "<= 0.4"}
    _write(project, params={"rate": 1}, require=require)
    stage = project.done("usecase=one").stages["s"]
    assert stage.metrics == pytest.approx({"rmse": 0.7, "loss": 1 / 3})
    assert [(name, step) for name, step, *_ in stage.points] == [("loss", n) for n in range(3)]
    assert "left out as not finite: odd" in stage.notes
    assert [gate["passed"] for gate in stage.gates] == [True, True]
    run = json.loads((_artifact(project, "mlflow_run") / "run.json").read_text())
    assert (run["name"], run["status"], run["params"]) == (
        "fit",
        "FINISHED",
        {"rate": "1.0", "title": "none"},
    )
    assert [point[:2] for point in run["points"] if point[0] != "loss"] == [
        ["odd", "nan"],
        ["odd", "-inf"],
        ["rmse", 0.7],
    ]
    assert (_artifact(project, "mlflow_run") / "artifacts/notes/a.txt").read_text() == "hello"
    nested = [
        json.loads((_artifact(project, "mlflow_run") / f"nested/00{n}/run.json").read_text())
        for n in (1, 2)
    ]
    assert [(one["name"], one["parent"]) for one in nested] == [("trial 0", 0), ("trial 1", 0)]


@pytest.mark.parametrize(
    "title", ['it\'s "x" $(id) `id` $HOME; exit 3', "two\nlines {rows} %s \\", ""]
)
def test_a_value_reaches_the_project_literally(project, title):
    _write(
        project,
        LOGS.replace("import mlflow", "mlflow = None").replace("with mlflow.start_run():", "if 0:"),
        params={"title": title},
    )
    project.done("usecase=one")
    assert json.loads(_artifact(project, "model").read_text())["title"] == title


def test_a_project_works_on_a_copy_and_is_cached_until_one_of_its_files_changes(project):
    _write(project)
    before = (project.path / "fit" / "train.py").read_text()
    project.done("usecase=one")
    assert json.loads(_artifact(project, "model").read_text())["here"] == ["MLproject", "train.py"]
    assert (project.path / "fit" / "train.py").read_text() == before
    assert project.done("usecase=one").stages["s"].cached
    (project.path / "fit" / "notes.md").write_text("new")
    explained = project.run("explain", "usecase=one")
    assert "notes.md" in explained.stdout
    assert not project.done("usecase=one").stages["s"].cached


def test_a_project_that_names_its_experiment_needs_the_same_name_in_the_yaml(project):
    named = LOGS.replace("import mlflow\n", "import mlflow; mlflow.set_experiment('wine')\n")
    _write(project, named, mlproject={"uri": "fit", "experiment": "wine"})
    assert project.done("usecase=one").stages["s"].metrics["rmse"] == 0.7


def test_a_later_stage_reads_what_the_project_logged(project):
    command = ["cp", "{inputs.run}/artifacts/notes/a.txt", "{outputs.text}"]
    more = {"t": {"command": command, "inputs": {"run": "s.mlflow_run"}, "outputs": ["text"]}}
    _write(project, more=more)
    result = project.run("usecase=one")
    assert result.returncode == 0 and "no stage reads" not in result.stdout + result.stderr
    assert (project.last / "artifacts" / "t" / "text").read_text() == "hello"


def test_a_project_that_fails_fails_its_stage_with_its_last_words(project):
    _write(project, LOGS + "    sys.exit('the data are bad')\n")
    result = project.run("usecase=one")
    failure = project.state().stages["s"].failure
    assert result.returncode == 1 and "the data are bad" in failure["log_tail"]
    assert failure["message"] == "the entry point 'main' ended with exit status 1"
    names = [name for name, *_ in project.state().stages["s"].points]
    assert sorted(names) == ["loss"] * 3 + ["rmse"]


def test_an_output_that_the_project_did_not_write_is_named_with_its_parameter(project):
    _write(project, "print('done')")
    assert project.run("usecase=one").returncode == 1
    message = project.state().stages["s"].failure["message"]
    assert "did not write its output 'model'" in message and "parameter 'model'" in message


def test_a_file_that_changes_before_the_job_starts_is_not_run(project):
    change = ["sh", "-c", f"echo >> {project.path}/fit/train.py; touch $0", "{outputs.done}"]
    more = {"t": {"command": change, "outputs": ["done"]}}
    _write(project, more=more, inputs={"rows": "t.done"})
    assert project.run("usecase=one").returncode == 1
    assert "train.py changed after planning" in project.state().stages["s"].failure["message"]


def test_an_interrupt_ends_every_process_of_a_project(project):
    ready = project.path / "ready"
    _write(
        project,
        f"""
        import pathlib, subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        pathlib.Path({str(ready)!r}).touch()
        time.sleep(600)
        """,
    )
    engine = project.start("usecase=one")
    project.until(ready.exists)
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=300)
    assert engine.returncode == 130
    project.until(lambda: not project.processes())


def test_a_killed_engine_resumes(project):
    ready = project.path / "ready"
    _write(project, f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(600)")
    engine = project.start("usecase=one")
    project.until(ready.exists)
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate(timeout=300)
    _write(project)
    assert project.done("usecase=one").stages["s"].metrics["rmse"] == 0.7


def test_a_virtual_environment_is_made_once_and_has_the_projects_packages_only(project):
    _write(
        project,
        "import sys; open(sys.argv[4], 'w').write(sys.prefix)",
        mlproject={"uri": "fit", "env_manager": "virtualenv"},
    )
    (project.path / "fit" / "python_env.yaml").write_text("dependencies: []\n")
    stage = project.done("usecase=one").stages["s"]
    prefix = Path(_artifact(project, "model").read_text())
    assert prefix.parent == project.store.root / "tools"
    assert any("MLflow does not work here" in note for note in stage.notes)
    made = (prefix / "ready.json").stat().st_mtime_ns
    project.done("usecase=one", "force=s")
    assert (prefix / "ready.json").stat().st_mtime_ns == made


LOGS_A_MODEL = """
    import sys
    import mlflow, mlflow.sklearn, numpy
    from sklearn.linear_model import ElasticNet
    alpha = float(sys.argv[1])
    rows = numpy.linspace(0, 1, 24).reshape(12, 2)
    with mlflow.start_run():
        model = ElasticNet(alpha=alpha).fit(rows, rows.sum(axis=1))
        mlflow.log_param("alpha", alpha)
        mlflow.log_metric("rmse", float(numpy.sqrt(((model.predict(rows) - rows.sum(axis=1)) ** 2).mean())))
        mlflow.sklearn.log_model(model, name="model", registered_model_name="Wine")
"""


def test_a_project_that_only_logs_is_recorded_as_a_nested_run_with_its_model(project):
    _write(project, LOGS_A_MODEL, inputs={}, outputs=[], params={"alpha": 0.5})
    main = {"parameters": {"alpha": "float"}, "command": "python train.py {alpha}"}
    about = {"name": "wine", "entry_points": {"main": main}}
    (project.path / "fit" / "MLproject").write_text(json.dumps(about))
    project.done("usecase=one", "tracking=mlflow")
    project.run("sync", "tracking=mlflow")
    assert project.done("usecase=one", "tracking=mlflow").stages["s"].cached
    project.run("sync", "tracking=mlflow")
    with sqlite3.connect(project.outputs / "mlflow.db") as tables:
        runs = dict(tables.execute("SELECT run_uuid, name FROM runs").fetchall())
        query = "SELECT run_uuid, value FROM tags WHERE key = 'mlflow.parentRunId'"
        nested = {runs[run]: runs[parent] for run, parent in tables.execute(query).fetchall()}
        models = tables.execute("SELECT count(*) FROM registered_models").fetchone()
    assert nested == {"wine": "s", "s": next(name for name in runs.values() if "one" in name)}
    assert sorted(runs.values()).count("wine") == 1 and models == (0,)
    [found] = (project.outputs / "mlartifacts").rglob("MLmodel")
    assert found.parent.name == "model"


def test_the_shipped_project_trains_a_model_for_the_other_stages(project):
    pytest.importorskip("tensorflow", reason="the extra 'training' is not installed")
    words = ("usecase=mlflow_project", "params.epochs=2", "until=quantise")
    stage = project.done(*words, "stage_packages=[stages]").stages["train"]
    assert 0.3 < stage.metrics["val_accuracy"] <= 1
    assert [step for name, step, *_ in stage.points if name == "val_loss"] == [0, 1]
    found = json.loads((project.last / "artifacts/train/decision.json").read_text())
    assert found["decision"] == {"target": "state", "task": "classify"}
