"""`doctor`'s checks of runs and of the MLflow that records them.

MLflow is not imported: a server is queried over HTTP.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from engine import layout
from engine.errors import UserError
from engine.finding import Finding
from engine.mlflow.backend import Backend, resolve

_TIMEOUT_S = 0.8


def mlflow(outputs: Path, tracking: Mapping[str, object]) -> list[Finding]:
    """Return the number of runs, where they are recorded, and whether that server responds."""
    runs = Finding(True, f"{len(layout.runs(outputs))} runs below {outputs}")
    if not tracking["enabled"]:
        return [runs, Finding(True, "MLflow: runs are not recorded (tracking=none)")]
    try:
        backend = resolve(outputs, tracking)
    except UserError as error:
        return [runs, Finding(False, f"MLflow: {error.where}: {error.what}", error.fix)]
    return [
        runs,
        _server(backend) if backend.uri.startswith("http") else _database(outputs, backend),
    ]


def _database(outputs: Path, backend: Backend) -> Finding:
    path = backend.database_path
    where = "sqlite below outputs/" if path == outputs.absolute() / "mlflow.db" else backend.shown
    return Finding(
        True,
        f"MLflow: {where}"
        + ("" if path is None or path.exists() else ", created by the first run"),
    )


def _server(backend: Backend) -> Finding:
    """Request the health page of the MLflow server."""
    try:
        with urllib.request.urlopen(
            f"{backend.uri.rstrip('/')}/health", timeout=_TIMEOUT_S
        ) as answer:
            answer.read(100)
        return Finding(True, f"MLflow: {backend.shown} answers")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):  # it runs, but requires authentication
            return Finding(True, f"MLflow: {backend.shown} answers")
        return Finding(
            False,
            f"MLflow: {backend.shown} answers with status {error.code}",
            "check whether that is an MLflow server",
        )
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "reason", error)
        fix = "runs continue without it; when it is back: python run.py sync"
        return Finding(
            False,
            f"MLflow: {backend.shown} does not answer ({getattr(why, 'strerror', None) or why})",
            fix,
        )
