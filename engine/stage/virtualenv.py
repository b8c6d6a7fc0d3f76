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

from engine.stage import StageError

_READY = "ready.json"  # written last: an environment without it was not finished


def enter(env: Dict[str, Any], job: Path) -> None:
    """Continue the job in the environment, which is made if necessary; return if it runs there already.

    Raise StageError if it cannot be made.
    """
    program = _program(env["python"], env["where"])
    key = {"environment": env, "program": program, "machine": platform.machine()}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    folder = Path(env["folder"]) / f"python-{digest[:20]}"
    python = folder / "bin" / "python"
    if Path(sys.prefix) == folder:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(str(folder) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _READY).is_file():
            _make(folder, program, env)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(str(python), [str(python), "-m", "engine.stage", str(job)])


def _program(wanted: str, where: str) -> str:
    """Return the path of a Python of this version; raise StageError if there is none."""
    if _is_version(wanted, platform.python_version()):
        return getattr(sys, "_base_executable", sys.executable) or sys.executable
    short = ".".join(wanted.split(".")[:2])
    found: Optional[str] = shutil.which(f"python{short}")
    if found:
        asked = [found, "-c", "import platform; print(platform.python_version())"]
        done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0 and _is_version(wanted, done.stdout.decode().strip()):
            return found
    raise StageError(
        f"{where} asks for Python {wanted}, and python{short} is not on PATH (this is Python "
        f"{platform.python_version()}); install it, or write env_manager: local"
    )


def _is_version(wanted: str, version: str) -> bool:
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
