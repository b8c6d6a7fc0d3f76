"""`mlflow run`: the words that it gives, the runs that it leaves, and its exit status."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from engine import mlproject
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own and its dependencies'
START = ["usecase=chain", "target=rpi4"]


def test_overrides_are_words_of_the_command_line():
    given = mlproject.words([*START, "params.n=5 'name=two words'"], None)
    assert given == [*START, "params.n=5", "name=two words"]


def test_a_parameter_that_is_not_declared_is_an_override():
    assert mlproject.words([*START, "", "--params.n", "5"], None) == [*START, "params.n=5"]


@pytest.mark.parametrize("uri", ["http://host:5000", "sqlite:////a b/mlflow.db"])
def test_the_run_goes_to_the_mlflow_of_mlflow_run(uri):
    assert mlproject.words([*START, ""], uri)[-1] == f'tracking.uri="{uri}"'


@pytest.mark.parametrize(
    ("overrides", "uri"),
    [
        ("tracking=none", "http://host"),
        ("tracking.uri=http://mine", "http://host"),
        ("", "/mlruns"),
    ],
)
def test_another_choice_of_tracking_stays(overrides, uri):
    assert mlproject.words([*START, overrides], uri) == [*START, *overrides.split()]


def test_the_environment_has_what_pyproject_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    installed = [
        line for name in ("runtime", "train", "tracking", "search") for line in extras[name]
    ]
    wanted = [*project["dependencies"], *installed]
    declared = yaml.safe_load((ROOT / "python_env.yaml").read_text())["dependencies"]
    assert declared == [
        line for line in dict.fromkeys(wanted) if not line.startswith(project["name"])
    ]


@pytest.fixture
def mlflow_run(tmp_path):
    """Run the project with this environment's Python; return how it ended."""
    scripts = Path(sys.executable).parent
    env = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def run(*parameters: str) -> "subprocess.CompletedProcess[str]":
        words = [word for one in parameters for word in ("-P", one)]
        argv = [str(scripts / "mlflow"), "run", str(ROOT), "--env-manager", "local", *words]
        return subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True)

    return run


@pytest.mark.slow
def test_our_run_is_nested_in_the_one_that_mlflow_run_makes(mlflow_run, tmp_path):
    client_of = pytest.importorskip("mlflow.tracking").MlflowClient
    overrides = f"executor=local until=[pictures] outputs={tmp_path}/outputs"
    done = mlflow_run("usecase=image_recognition", "target=x86_64", f"overrides={overrides}")
    assert done.returncode == 0, done.stdout + done.stderr
    client = client_of(f"sqlite:///{tmp_path}/mlflow.db")
    sync = [sys.executable, str(ROOT / "run.py"), "sync", f"outputs={tmp_path}/outputs"]
    uri = f'tracking.uri="sqlite:///{tmp_path}/mlflow.db"'
    assert subprocess.run([*sync, "usecase=image_recognition", uri], cwd=ROOT).returncode == 0
    runs = {run.info.run_id: run for run in client.search_runs(["0"])}
    parents = {run.data.tags.get("mlflow.parentRunId"): run for run in runs.values()}
    (outer,) = (run for run in runs.values() if "mlflow.parentRunId" not in run.data.tags)
    ours = parents[outer.info.run_id]
    stage = parents[ours.info.run_id]
    assert len(runs) == 3 and stage.data.tags["rpi.stage"] == "pictures"
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert ours.info.run_id in outer.data.tags["mlflow.note.content"]
    assert "finished" in outer.data.tags["mlflow.note.content"]


@pytest.mark.slow
def test_a_mistake_ends_mlflow_run_with_its_message(mlflow_run, tmp_path):
    done = mlflow_run("usecase=nothing", f"overrides=outputs={tmp_path}/outputs")
    assert done.returncode == 1
    assert "usecase=nothing" in done.stderr and "Traceback" not in done.stderr.partition("ERROR")[0]
