"""Mistakes in an MLflow Project, and in the stage that runs it."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import check, yamlfile
from engine.placement import Placement
from engine.projects import files
from engine.signature import Library
from tests.messages.forms import read
from tests.messages.rows import Subject, Told, told

HERE = Placement("linux/amd64", False, "x86_64")
ENTRY: dict[str, Any] = {
    "parameters": {"rows": "path", "rate": {"type": "float", "default": 0.1}, "model": "path"},
    "command": "python train.py {rows} {rate} {model}",
}
STAGE: dict[str, Any] = {
    "mlproject": {"uri": "fit"},
    "inputs": {"rows": "asset:rows"},
    "outputs": ["model"],
}
DOCKER = {"image": "acme/train:1"}
AT, FILE = "u.yaml: stages.a", "fit/MLproject"
REPOSITORY = "file://{here}/fit"


def _stage(**keys: Any) -> dict[str, Any]:
    """The stage with other keys; `uri` and the like belong to its project."""
    own = {
        key: keys.pop(key)
        for key in ("uri", "version", "entry_point", "env_manager")
        if key in keys
    }
    return {"stage": {**STAGE, **keys, "mlproject": {**STAGE["mlproject"], **own}}}


def _project(**keys: Any) -> dict[str, Any]:
    """The project with other keys in its MLproject."""
    return {"project": keys}


def _entry(**keys: Any) -> dict[str, Any]:
    return _project(entry_points={"main": {**ENTRY, **keys}})


def _parameter(**parameters: Any) -> dict[str, Any]:
    return _entry(parameters={**ENTRY["parameters"], **parameters})


def _docker(pass_env: tuple[str, ...] = (), **keys: Any) -> dict[str, Any]:
    return _project(docker_env={**DOCKER, **keys}) | _stage(env_manager="docker", pass_env=pass_env)


def _env(text: str) -> dict[str, Any]:
    return {"files": {"python_env.yaml": text}, **_stage(env_manager="virtualenv")}


def _links(target: str) -> dict[str, Any]:
    return {"before": lambda folder: (folder / "fit" / "odd").symlink_to(target)}


def _too_large(folder: Path) -> None:
    for number in range(files.MOST_FILES):
        (folder / "fit" / f"{number}").touch()


def _submodule(folder: Path) -> None:
    _git(folder / "fit", "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},part")
    _git(folder / "fit", "commit", "-qm", "part")


MISTAKES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "no_near_folder": (_stage(uri="deep/down"), f"{AT}.mlproject.uri", "deep/down", "absolute path"),
    "link_to_itself": (_links("."), "fit/odd", "folder", "copy"),
    "no_folder": (_stage(uri="fat"), f"{AT}.mlproject.uri", "fat", "fit"),
    "no_inner_folder": (_stage(uri="fit#in"), f"{AT}.mlproject.uri", "in", "FOLDER#"),
    "version_of_a_folder": (_stage(version="v1"), f"{AT}.mlproject.version", "fit", "repository"),
    "no_store": ({**_stage(uri=REPOSITORY, version="v1"), "git": True, "store": False}, f"{AT}.mlproject.uri", "command", "folder"),
    "credentials": (_stage(uri="https://ann:pw@host/x.git"), f"{AT}.mlproject.uri", "credentials", "credential helper"),
    "way_out": (_stage(uri="https://host/x.git#../y"), f"{AT}.mlproject.uri", "../y", "URL#folder"),
    "odd_version": (_stage(uri="https://host/x.git", version="a..b"), f"{AT}.mlproject.version", "a..b", "branch"),
    "no_version": ({**_stage(uri=REPOSITORY, version="trun"), "git": True}, f"{AT}.mlproject.version", "trun", "trunk"),
    "no_commit": ({**_stage(uri=REPOSITORY, version="1" * 40), "git": True}, f"{AT}.mlproject.version", "111111111111", "branch"),
    "no_repository": (_stage(uri="file://{here}/none"), f"{AT}.mlproject.uri", "cannot be fetched", "git ls-remote"),
    "no_folder_at_commit": ({**_stage(uri=f"{REPOSITORY}#in", version="trunk"), "git": True}, f"{AT}.mlproject.uri", "in", "URL#folder"),
    "submodule": ({**_stage(uri=REPOSITORY, version="trunk"), "git": True, "before": _submodule}, f"{AT}.mlproject.uri", "part", "submodules"),
    "link_nowhere": (_links("none"), "fit/odd", "nowhere", "remove"),
    "link_outside": (_links("/etc/hostname"), "fit/odd", "out of the project", "as an input"),
    "link_to_a_folder": ({"files": {"in/a": ""}, **_links("in")}, "fit/odd", "folder", "copy"),
    "too_large": ({"before": _too_large}, "fit", "5,000 files", "input"),
    "not_yaml": ({"text": "entry_points: {"}, f"{FILE}, line 2", "expected", "indent"),
    "two_keys": ({"text": "name: a\nname: b\n" + json.dumps({"entry_points": {"main": ENTRY}})[1:-1].replace('"entry_points": ', "entry_points: ", 1)}, f"{FILE}, line 2", "name", "keep one"),
    "unknown_key": (_project(entrypoints={}), f"{FILE}: entrypoints", "entrypoints", "entry_points"),
    "databricks": (_project(databricks_spark_job={"python_file": "x"}), f"{FILE}: databricks_spark_job", "Databricks", "remove"),
    "no_mapping": (_project(docker_env=["x"]), f"{FILE}: docker_env", "mapping", "key: value"),
    "no_command": (_entry(command=None), f"{FILE}: entry_points.main", "command", "python"),
    "no_parameter": (_entry(command=f"{ENTRY['command']} {{rat}}"), f"{FILE}: entry_points.main.command", "rat", "rate"),
    "braces": (_entry(command=f"{ENTRY['command']} }}"), f"{FILE}: entry_points.main.command", "braces", "{{"),
    "list_as_default": (_parameter(rate={"type": "float", "default": [1]}), f"{FILE}: entry_points.main.parameters.rate.default", "single", "text"),
    "default_of_another_type": (_parameter(rate={"type": "float", "default": "x"}), f"{FILE}: entry_points.main.parameters.rate.default", "float", "float"),
    "default_outside": (_parameter(more={"type": "path", "default": "/x"}), f"{FILE}: entry_points.main.parameters.more.default", "/x", "inputs"),
    "no_entry_point": (_stage(entry_point="mian"), f"{AT}.mlproject.entry_point", "mian", "main"),
    "no_entry_points": ({"text": None, "script": False}, FILE, "entry points", "entry_points:"),
    "two_environments": (_project(python_env="train.py", docker_env=DOCKER) | _stage(env_manager="docker"), f"{FILE}: docker_env", "one environment", "keep one"),
    "no_environment_file": (_project(python_env="no.yaml"), f"{FILE}: python_env", "no.yaml", "file of the project"),
    "unknown_parameter": (_stage(params={"rat": 1}), f"{AT}.params.rat", "rat", "rate"),
    "wrong_type": (_stage(params={"rate": "fast"}), f"{AT}.params.rate", "fast", "float"),
    "missing_parameter": (_stage(inputs={}), f"{AT}.params", "rows", "inputs: {rows"),
    "passed_twice": (_stage(params={"rows": "x"}), f"{AT}.params.rows", "twice", "remove it"),
    "input_and_output": (_stage(outputs=["model", "rows"]), f"{AT}.outputs", "rows", "rename"),
    "own_output": (_stage(outputs=["model", "mlflow_run"]) | _entry(parameters={**ENTRY["parameters"], "mlflow_run": "path"}, command=f"{ENTRY['command']} {{mlflow_run}}"), f"{AT}.outputs", "mlflow_run", "remove"),
    "nothing_to_insert": (_stage(params={"text": "{outputs.modle}"}) | _parameter(text="string"), f"{AT}.params.text", "outputs.modle", "outputs.model"),
    "no_uri": (_stage(params={"site": "x"}) | _parameter(site="uri"), f"{AT}.params.site", "URI", "https"),
    "path_outside": (_stage(params={"more": "/x"}) | _parameter(more="path"), f"{AT}.params.more", "/x", "asset:KEY"),
    "output_without_parameter": (_stage(outputs=["model", "figure"]), f"{AT}.outputs", "figure", "{outputs.figure}"),
    "path_as_number": (_stage(outputs=["model", "rate"]), f"{AT}.outputs", "float", "path"),
    "path_not_used": (_entry(command="python train.py {rows}"), f"{FILE}: entry_points.main.command", "model", "{model}"),
    "no_docker_env": (_stage(env_manager="docker"), f"{AT}.mlproject.env_manager", "docker_env", "image"),
    "docker_env_left_out": (_project(docker_env=DOCKER), f"{AT}.mlproject.env_manager", "docker_env", "docker"),
    "no_python_env": (_stage(env_manager="virtualenv"), f"{AT}.mlproject.env_manager", "python_env", "local"),
    "no_image": (_docker(image=None), f"{FILE}: docker_env", "image", "NAME:TAG"),
    "no_list_of_volumes": (_docker(volumes="x"), f"{FILE}: docker_env.volumes", "list", "./data:/data"),
    "no_list_of_variables": (_docker(environment="x"), f"{FILE}: docker_env.environment", "list", "LEVEL"),
    "variable_not_passed": (_docker(environment=["TOKEN"]), f"{FILE}: docker_env.environment.0", "TOKEN", "pass_env"),
    "named_volume": (_docker(volumes=["data:/data"]), f"{FILE}: docker_env.volumes.0", "named volume", "./data:/data"),
    "no_volume": (_docker(volumes=["./data"]), f"{FILE}: docker_env.volumes.0", "./data", "./data:/data"),
    "volume_outside": (_docker(volumes=["/data:/data"]), f"{FILE}: docker_env.volumes.0", "/data", "input"),
    "volume_over_the_system": (_docker(volumes=["./data:/etc"]), f"{FILE}: docker_env.volumes.0", "/etc", "/data"),
    "old_python": (_env("python: '3.6'"), "fit/python_env.yaml: python", "3.6", "local"),
    "no_python": (_env("python: '3.77'"), "fit/python_env.yaml: python", "3.77", "pyenv install"),
    "no_environment_yaml": (_env("{"), "fit/python_env.yaml", "expected", "indent"),
    "two_keys_of_the_environment": (_env("python: '3.9'\npython: '3.9'"), "fit/python_env.yaml", "python", "keep one"),
    "no_list_of_requirements": (_env("dependencies: x"), "fit/python_env.yaml: dependencies", "list", "pandas"),
    "no_requirements_file": (_env("dependencies: [-r no.txt]"), "fit/python_env.yaml: dependencies", "no.txt", "file of the project"),
}  # fmt: skip


def provoke(cause: Mapping[str, Any], folder: Path) -> list[Told]:
    """Check a use case with one project."""
    _write(cause, folder)
    if cause.get("git"):
        _commit(folder / "fit")
    before: Callable[[Path], object] = cause.get("before", lambda _: None)
    before(folder)
    stage = json.dumps(cause.get("stage", STAGE)).replace("{here}", str(folder))
    text = f"assets: {{rows: data}}\nstages:\n  a: {stage}\n"
    (folder / "u.yaml").write_text(text)
    usecase = read({"name": "u", **yamlfile.load(folder / "u.yaml")}, "u.yaml")
    memo = folder / "store" / "sources.json" if cause.get("store", True) else None
    library = Library(["mystages"], [folder], memo)
    with pytest.raises(ExceptionGroup) as caught:
        check.check(usecase, library, lambda *_: HERE, "u.yaml")
    return told(caught.value, folder)


def _write(cause: Mapping[str, Any], folder: Path) -> None:
    own = {"name": "fit", "entry_points": {"main": ENTRY}, **cause.get("project", {})}
    text = cause.get("text", json.dumps(own))
    written = {"train.py": "" if cause.get("script", True) else None, "MLproject": text}
    for name, content in {**written, **cause.get("files", {})}.items():
        path = folder / "fit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_text(content)


def _commit(folder: Path) -> None:
    _git(folder, "init", "-q", "-b", "trunk")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "one")


def _git(folder: Path, *words: str) -> None:
    who = {
        f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *words], cwd=folder, env={**os.environ, **who}, check=True)


SUBJECTS = {"project": Subject(MISTAKES, provoke)}
