"""The contract of an MLflow Project: its MLproject file and the YAML together."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.contract import REQUIRED, Contract, Declared
from engine.kinds import mlproject
from engine.kinds.mlproject import MlProject
from engine.signature import Library

ROOT = Path(__file__).resolve().parents[3]
MAIN = {
    "parameters": {
        "rows": "path",
        "rate": {"type": "float", "default": 0.1},
        "title": {"type": "string"},
        "model": "path",
    },
    "command": "python train.py {rows} {rate} {title} {model}",
}


class Folder:
    """A folder with one project, and its contract."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("train.py", "import numpy, sys\nfrom own import x\n")
        self.write("own.py", "")
        self.declare()

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        (self.path / "fit" / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / "fit" / name).write_text(text)

    def declare(self, **keys: Any) -> None:
        """Write its MLproject."""
        self.write("MLproject", json.dumps({"name": "fit", "entry_points": {"main": MAIN}, **keys}))

    def contract(self, project: dict[str, Any] | None = None, **keys: Any) -> Contract:
        """Return the stage's contract."""
        given = {"inputs": ("rows",), "outputs": ("model",), "params": {"title": "x"}, **keys}
        value = MlProject(**{"uri": "fit", **(project or {})})
        declared = Declared(value=value, where="u.yaml: stages.a", **given)
        return mlproject.contract(declared, Library([], [self.path], self.path / "s" / "m.json"))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_inputs_and_outputs_are_parameters_and_params_sets_the_others(folder):
    found = folder.contract()
    assert (found.inputs, found.outputs) == ({"rows": True}, ("model", "mlflow_run"))
    kinds = {name: (one.annotation, one.default) for name, one in found.params.items()}
    assert kinds == {"rate": ("float", 0.1), "title": ("str | int | float | bool", REQUIRED)}
    assert (found.metrics, found.extra) == (None, {"mlflow_run"})


def test_a_path_may_be_inserted_into_a_parameter_of_another_name(folder):
    params = {"title": "{outputs.figure}", "model": "{outputs.best}/model.bin"}
    found = folder.contract(outputs=("figure", "best"), params=params)
    assert found.outputs == ("figure", "best", "mlflow_run")


def test_every_file_of_the_project_is_a_source_and_its_packages_too(folder):
    before = folder.contract().sources
    assert "package numpy" in before and "package own" not in before
    folder.write("part/data.csv", "1")
    assert folder.contract().sources.keys() - before.keys() == {"project part/data.csv"}
    assert folder.contract().files.digests.keys() == {
        "MLproject",
        "own.py",
        "part/data.csv",
        "train.py",
    }


def test_the_same_project_in_another_place_has_the_same_sources(folder, tmp_path):
    other = Folder(tmp_path / "elsewhere")
    assert other.contract().sources == folder.contract().sources


def test_a_script_is_an_entry_point_that_accepts_any_parameter(folder):
    found = folder.contract({"entry_point": "train.py"}, params={"epochs": 3})
    settings = found.invoke["arguments"][0]
    assert (settings["command"], settings["passed"]) == (
        "python 'train.py'",
        ["epochs", "rows", "model"],
    )


def test_what_the_environment_lacks_is_said_and_not_refused(folder):
    folder.write("python_env.yaml", "python: '3.1'\ndependencies: [no_such_package_1]\n")
    [note] = folder.contract().notes
    assert note.startswith("fit/python_env.yaml asks for Python 3.1 (this is ")
    assert note.endswith("no_such_package_1 (not installed)")


def test_a_project_runs_where_its_environment_is(folder):
    assert "process of this machine" in folder.contract().only_local
    folder.declare(docker_env={"image": "acme/x:1", "volumes": ["./data:/data/"]})
    found = folder.contract({"env_manager": "docker"})
    assert (found.only_local, found.image, found.mounts) == ("", "acme/x:1", {"/data": "data"})


def test_a_project_is_read_once_for_all_calls(folder):
    library = Library([], [folder.path], folder.path / "s" / "m.json")
    value = MlProject(uri="fit")
    given = {"inputs": ("rows",), "outputs": ("model",), "params": {"title": "x"}}
    first, second = (
        mlproject.contract(Declared(value=value, where=where, **given), library)
        for where in ("a", "b")
    )
    assert first.files.digests is second.files.digests


def test_reading_a_project_imports_no_mlflow(folder):
    code = (
        "import sys; from engine.projects import source; from pathlib import Path\n"
        "source.resolve('fit', None, [Path(sys.argv[1])], None)\n"
        "sys.exit('mlflow' in sys.modules)"
    )
    argv = [sys.executable, "-c", code, str(folder.path)]
    assert subprocess.run(argv, cwd=ROOT).returncode == 0
