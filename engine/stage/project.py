"""Runs the entry point of an MLflow Project, as MLflow's local backend does, in the job's own copy.

The kind of stage `mlproject` starts it. What the project logs goes to a private store in the job's
folder, and then to the output `mlflow_run`. Standard library only, apart from MLflow if it is there.
"""

import hashlib
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping

from engine import stage
from engine.stage import StageError
from engine.stage.project_runs import Tracking
from engine.stage.virtualenv import enter

OUTPUT = "mlflow_run"
_PLACEHOLDER = re.compile(r"\{(inputs|outputs)\.(\w+)\}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def run(settings: Dict[str, Any], /, **given: Any) -> Dict[str, float]:
    """Run the project, and return the metrics of its run: the last value of each.

    settings: engine/kinds/mlproject.py makes them. given: the paths of inputs and outputs, and the
    values of parameters. Raise StageError if the entry point fails, or did not write an output.
    """
    job = given[OUTPUT].parent.parent
    folder = job / "project"
    _verify(folder, settings["files"])
    if settings["environment"]:
        enter(settings["environment"], job)
    about = {name: settings[name] for name in ("project", "experiment", "tags")}
    tracking = Tracking(job / "mlflow", about)
    values = _values(settings, given, folder, job)
    with tracking.followed():
        status = _execute(settings, _command(settings, values), folder, tracking.environment)
        params = {name: text for name, text in values.items() if not isinstance(given[name], Path)}
        tracking.end(params, is_good=status == 0)
    if status:
        tracking.report(every=True)
        raise StageError(_why(settings["entry_point"], status))
    _check_outputs(settings, given)
    return tracking.export(given[OUTPUT])


def _verify(folder: Path, digests: Mapping[str, str]) -> None:
    """Raise StageError if the project's files are not those of the plan."""
    for name, digest in digests.items():
        path = folder / name
        try:
            mode = " x" if path.stat().st_mode & stat.S_IXUSR else ""
            found = hashlib.sha256(path.read_bytes()).hexdigest() + mode
        except FileNotFoundError:
            found = ""
        if found != digest:
            raise StageError(f"the project's file {name} changed after planning; run it again")


def _values(
    settings: Dict[str, Any], given: Mapping[str, Any], folder: Path, job: Path
) -> Dict[str, str]:
    """Return the text of each parameter: paths and values."""
    paths = {
        "inputs": {name: given[name] for name in settings["inputs"]},
        "outputs": {name: given[name] for name in [*settings["outputs"], OUTPUT]},
    }
    found: Dict[str, str] = {}
    for at, name in enumerate(settings["passed"]):
        value, kind = given[name], settings["types"].get(name, "string")
        if isinstance(value, str):
            value = _PLACEHOLDER.sub(lambda match: str(paths[match[1]][match[2]]), value)
        if kind == "uri" and str(value).startswith("/"):
            value = Path(str(value)).as_uri()
        if kind == "path" and isinstance(value, str):
            value = _local(name, value, folder, job / f"downloaded-{at}")
        found[name] = str(value)
    return found


def _local(name: str, value: str, folder: Path, downloads: Path) -> Path:
    """Return the local path of a value of type path; MLflow downloads one that is elsewhere."""
    if not _SCHEME.match(value):
        return folder / value
    downloads.mkdir()
    try:
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(value, dst_path=str(downloads)))
    except Exception as error:
        raise StageError(
            f"the parameter {name} cannot be downloaded from {value}: {error}"
        ) from None


def _command(settings: Dict[str, Any], values: Mapping[str, str]) -> str:
    """Return the command for the shell, in which each value is quoted, as MLflow does."""
    quoted = {name: shlex.quote(value) for name, value in values.items()}
    if settings["is_declared"]:
        return str(settings["command"].format(**quoted))
    words: List[str] = [f"--{name} {value}" for name, value in quoted.items()]
    return " ".join([settings["command"].format(), *words])


def _execute(
    settings: Dict[str, Any], command: str, folder: Path, tracking: Mapping[str, str]
) -> int:
    """Run the command in the project's folder, and return its exit status."""
    print(f"=== {command}", flush=True)
    environment = {**os.environ, **settings["variables"], **tracking}
    ours = Path(stage.__file__).resolve().parents[2]
    others = [
        path
        for path in environment.pop("PYTHONPATH", "").split(os.pathsep)
        if path and Path(path).resolve() != ours and not (Path(path) / "engine" / "stage").is_dir()
    ]
    if others:
        environment["PYTHONPATH"] = os.pathsep.join(others)
    # `python` is this environment's, also if it is not activated
    programs = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([programs, environment.get("PATH", os.defpath)])
    try:
        return subprocess.call(["bash", "-c", command], cwd=str(folder), env=environment)
    except FileNotFoundError:
        raise StageError("there is no bash here, with which MLflow starts an entry point") from None


def _why(entry_point: str, status: int) -> str:
    if status < 0:
        return f"the entry point '{entry_point}' was ended by signal {-status}"
    return f"the entry point '{entry_point}' ended with exit status {status}"


def _check_outputs(settings: Dict[str, Any], given: Mapping[str, Any]) -> None:
    for name in settings["outputs"]:
        if not os.path.lexists(str(given[name])):
            raise StageError(
                f"the project did not write its output '{name}': its path is passed as the "
                f"parameter '{name}', or inserted as {{outputs.{name}}}"
            )
