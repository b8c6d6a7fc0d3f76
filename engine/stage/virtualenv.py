"""Virtual environments of MLflow Projects: made once for each python_env.yaml, and then shared.

Standard library only; pip, or uv if it is installed, installs the requirements.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from engine import stage
from engine.stage import StageError

_READY = "ready.json"  # written last: an environment without it was not finished


def enter(env: Dict[str, Any], job: Path) -> None:
    """Continue the job in the environment, which is made if necessary; return if it runs there already.

    Raise StageError if it cannot be made.
    """
    if Path(sys.prefix).parent == Path(env["folder"]):
        return
    program = find_python(env["python"])
    if program is None:
        raise StageError(f"{env['where']} asks for Python {env['python']}, which is not installed")
    key = {"environment": env, "program": program, "machine": platform.machine()}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    folder = Path(env["folder"]) / f"python-{digest[:20]}"
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage.progress(0, 1, "making the virtual environment")
    with open(str(folder) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _READY).is_file():
            _make(folder, program, env)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(str(python), [str(python), "-m", "engine.stage", str(job)])


def find_python(wanted: str) -> Optional[str]:
    """Return the path of a Python of this version, such as 3.11 or 3.11.7; None if there is none.

    Searched are this Python, PATH, and the versions that pyenv installed. Nothing is started.
    """
    if is_version(wanted, platform.python_version()):
        return getattr(sys, "_base_executable", sys.executable) or sys.executable
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(root.glob("versions/*"), reverse=True):
        if is_version(wanted, folder.name) and (folder / "bin" / "python").is_file():
            return str(folder / "bin" / "python")
    if wanted.count(".") != 1:  # the name of a program does not say more
        return None
    path = os.pathsep.join(
        one for one in os.get_exec_path() if Path(one).name != "shims"
    )  # pyenv's shims exist for versions that are not active
    return shutil.which(f"python{wanted}", path=path)


def is_version(wanted: str, version: str) -> bool:
    """Return whether a version is the wanted one, as far as that is given: 3.11 of 3.11.7."""
    parts = wanted.split(".")
    return version.split(".")[: len(parts)] == parts


def _make(folder: Path, program: str, env: Dict[str, Any]) -> None:
    shutil.rmtree(str(folder), ignore_errors=True)
    python = str(folder / "bin" / "python")
    print(f"=== making a virtual environment from {env['where']}", flush=True)
    _call([program, "-m", "venv", str(folder)], env)
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    for requirements in (env["build_dependencies"], env["dependencies"]):
        if requirements:
            _call([*install, *requirements], env)
    (folder / _READY).write_text(json.dumps(env), encoding="utf-8")


def _call(argv: List[str], env: Dict[str, Any]) -> None:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if subprocess.call(argv, env=own, stdin=subprocess.DEVNULL):
        raise StageError(
            f"the environment of {env['where']} cannot be made: see the messages of pip above"
        )
