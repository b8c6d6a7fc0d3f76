"""MLflow's own page, served on this machine for what was recorded below outputs/."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.errors import UserError
from engine.mlflow.backend import resolve
from engine.mlflow.sync import sync


def serve(
    outputs: Path, tracking: Mapping[str, object], port: int, say: Callable[[str], None]
) -> int:
    """Run MLflow's own page on this machine, on what was recorded, until it is interrupted; say
    where it is.

    MLflow opens on its pages for language models where the address does not ask for others.
    """
    backend = resolve(outputs, tracking)
    if not backend.is_database:
        what = "runs are recorded on a server, which has a page of its own"
        raise UserError("tracking.uri", what, f"open {backend.shown}")
    say(f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning (Ctrl-C ends it)")
    sync(outputs, tracking)  # also makes the database where there is none
    root = str(backend.artifact_root)
    where = ["--host", "127.0.0.1", "--port", str(port), "--default-artifact-root", root]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", *where]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_BACKEND_STORE_URI": backend.uri,
    }  # not an argument: all can read those
    return subprocess.run(command, env=environment, check=False).returncode
