"""Shows what was added to a run: in its report, and in MLflow, also if the run has ended long ago."""

from collections.abc import Mapping
from pathlib import Path

from engine import run_files
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import resolve
from engine.mlflow.queue import RunRequest
from engine.mlflow.start import SenderStarter
from engine.sinks import report


def show(outputs: Path, tracking: Mapping[str, object], run_dir: Path) -> None:
    """Write the report again, and ask the sender to update MLflow if the run is recorded there.

    For a run that has not ended, both happen at its end. `sync` sends what the sender cannot.
    """
    if not run_files.is_sealed(run_dir):
        return
    if (run_dir / report.FILE).exists():
        report.write(run_files.state(run_dir), run_dir)
    if tracking["enabled"] and (run_dir / cursors.FILE_NAME).exists():
        starter = SenderStarter(outputs.absolute(), resolve(outputs, tracking))
        starter.queue.put(RunRequest(run_dir.absolute(), None, is_complete=True))
        starter.start_if_needed()
