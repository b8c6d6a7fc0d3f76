"""Sends what MLflow missed: every run whose cursor is not at its journal's end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import layout, run_annotations
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend, resolve
from engine.mlflow.bounds import Bounds
from engine.mlflow.client import prepare_environment
from engine.mlflow.cursor import Cursor
from engine.mlflow.delivery import Delivery, NotSent
from engine.mlflow.reading import Reader

TIMEOUT_S = 10
BOUNDS = Bounds(request_s=20, waiting_s=30)
SENDER_S = 60.0  # how long to wait for the sender of an ended run


@dataclass(slots=True)
class SyncReport:
    """The result for each run, by run id."""

    sent: list[str] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)  # nothing was missing
    running: list[str] = field(default_factory=list)  # their own senders send them
    problems: dict[str, str] = field(default_factory=dict)  # run id: why it is not sent

    def __str__(self) -> str:
        counts = {
            "sent": self.sent,
            "already complete": self.complete,
            "still running": self.running,
        }
        words = [f"{len(runs)} {what}" for what, runs in counts.items() if runs] or [
            "no run to send"
        ]
        return "\n".join(
            [", ".join(words), *(f"not sent: {run}: {why}" for run, why in self.problems.items())]
        )


def sync(outputs: Path, tracking: Mapping[str, object], bounds: Bounds = BOUNDS) -> SyncReport:
    """Send every run that MLflow does not have completely; repeating it changes nothing."""
    backend = resolve(outputs, tracking)
    prepare_environment(backend, TIMEOUT_S)
    report = SyncReport()
    failures = 0
    for run_dir in layout.runs(outputs):
        if (
            failures >= 2
        ):  # the second failure of this kind: every further run would wait for it, too
            report.problems.setdefault(
                run_dir.name, "left for the next sync because of the problems above"
            )
        elif not _is_reachable(run_dir, backend, bounds, report):
            failures += 1
    return report


def _is_reachable(run_dir: Path, backend: Backend, bounds: Bounds, report: SyncReport) -> bool:
    """Add the run's result to the report; return False if MLflow accepts no run now."""
    try:
        _sync_one(run_dir, backend, bounds, report)
    except NotSent as error:
        report.problems[run_dir.name] = str(error)
        return not error.is_away
    except Exception as error:  # of this run, such as a damaged journal; the others can be sent
        report.problems[run_dir.name] = (
            f"its files cannot be read ({type(error).__name__}: {error})"
        )
    return True


def _sync_one(run_dir: Path, backend: Backend, bounds: Bounds, report: SyncReport) -> None:
    reader, cursor = Reader(run_dir), cursors.load(run_dir, backend.key)
    reader.read_to_end()
    is_complete = cursor.is_complete(reader.seq, run_annotations.size_bytes(run_dir))
    is_running = not reader.is_ended and _is_followed(cursor)
    if reader.damage and not cursor.is_closed:
        report.problems[run_dir.name] = reader.damage
    elif reader.damage or is_complete or not reader.state.start:
        report.complete.append(run_dir.name)
    elif is_running:
        report.running.append(run_dir.name)
    else:
        with cursors.held(run_dir, SENDER_S) as is_mine:
            if is_mine:
                _send(run_dir, backend, bounds, reader.seq, report)
            else:
                report.problems[run_dir.name] = "another process is still sending it"


def _send(
    run_dir: Path, backend: Backend, bounds: Bounds, last_seq: int, report: SyncReport
) -> None:
    delivery = Delivery(run_dir, backend, bounds)
    annotated_bytes = run_annotations.size_bytes(run_dir)
    if delivery.cursor.is_complete(last_seq, annotated_bytes):  # its sender was faster
        report.complete.append(run_dir.name)
        return
    delivery.close()
    report.sent.append(run_dir.name)


def _is_followed(cursor: Cursor) -> bool:
    """Return whether the run's engine, recorded by its sender, is alive; unknown without a sender."""
    return cursor.engine is not None and cursors.is_alive(cursor.engine)
