"""Virtual environments: made once, and then shared by every job that needs the same one.

Those of MLflow Projects are made here, inside the job; engine/tools/ makes those of images. Standard
library only; pip, or uv if it is installed, installs the packages.
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
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from engine import stage
from engine.stage import StageError

_READY = "ready.json"  # written last: an environment without it was not finished
# settings of pip that uv does not read: https://docs.astral.sh/uv/pip/compatibility/
_PIP_ONLY = ("PIP_INDEX_URL", "PIP_NO_INDEX")
# runs a command, and raises an exception if it fails; the command inherits the open file
Call = Callable[[List[str], int], None]


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
    python = python_of(folder)
    steps = [[program, "-m", "venv", str(folder)]]
    for requirements in (env["build_dependencies"], env["dependencies"]):
        if requirements:
            steps.append([*installer(python, os.environ), *requirements])
    stage.progress(0, 1, "making the virtual environment")
    if not is_made(folder):
        print(f"=== making a virtual environment from {env['where']}", flush=True)
    ensure(folder, steps, env, lambda argv, lock: _call(argv, lock, env["where"]))
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


def is_made(folder: Path) -> bool:
    """Return whether the virtual environment is complete, and the Python that it was made from exists."""
    return (folder / _READY).is_file() and python_of(folder).is_file()


def python_of(folder: Path) -> Path:
    """Return the path of the Python of a virtual environment."""
    return folder / "bin" / "python"


def ensure(folder: Path, steps: Sequence[List[str]], about: Mapping[str, Any], call: Call) -> None:
    """Make the virtual environment with these commands, unless it is complete.

    about: a description, which is written last. Only one process makes it, and the others wait: the
    commands inherit the lock, so that even those of a killed process end before the next begins. A
    virtual environment cannot be moved, so it is made in its place; an incomplete one is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(str(folder) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_made(folder):
            return
        shutil.rmtree(str(folder), ignore_errors=True)
        try:
            for argv in steps:
                call(list(argv), lock.fileno())
        except BaseException:  # it would fill a disk that may be full
            shutil.rmtree(str(folder), ignore_errors=True)
            raise
        (folder / _READY).write_text(json.dumps(dict(about)), encoding="utf-8")


def installer(python: Path, caller: Mapping[str, str]) -> List[str]:
    """Return the command that installs packages for this Python: that of uv if it is installed.

    uv does not read pip's index, so pip is used if the caller's environment sets one.
    """
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None or any(caller.get(name) for name in _PIP_ONLY):
        return [str(python), "-m", "pip", "install"]
    return [uv, "pip", "install", "--python", str(python)]


def own_environment(caller: Mapping[str, str]) -> Dict[str, str]:
    """Return the caller's variables without those that lead to other packages."""
    others = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in caller.items() if name not in others}


def _call(argv: List[str], lock: int, where: str) -> None:
    own = own_environment(os.environ)
    if subprocess.call(argv, env=own, stdin=subprocess.DEVNULL, pass_fds=[lock]):
        raise StageError(
            f"the environment of {where} cannot be made: see the messages of pip above"
        )
