"""`run` (the default): plan the use case, run what is not in the store, record everything."""

import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from engine import layout, ordinary
from engine.asset import Asset
from engine.catalogue import ROOT
from engine.commands import _download, _images, _planning
from engine.compose import Request
from engine.errors import UserError
from engine.events import Event, RunState, replay
from engine.journal import FILE_NAME, Journal
from engine.plan import Plan
from engine.scheduler import Scheduler, machine_limits
from engine.sinks import console, report
from engine.store import Store
from engine.wording import redact

_MOST_OF_GIT = 100_000_000  # bytes of packed-refs


class Sink(Protocol):
    """A reader of events."""

    def show(self, event: Event, state: RunState) -> None:
        """Take one event, which is durable already."""

    def close(self) -> None:
        """Take leave."""


class Recorder:
    """Makes events durable, then shows them to the sinks; a sink that fails is left out from then on."""

    def __init__(self, journal: Journal, sinks: list[Sink]) -> None:
        self._journal, self._sinks = journal, sinks
        self.state = RunState()

    def emit(self, *events: Mapping[str, Any]) -> None:
        """Append the events and show them."""
        if not events:
            return
        for event in self._journal.append(*events):
            replay([event], self.state)
            self._sinks = [sink for sink in self._sinks if self.show(sink, event, self.state)]

    def show(self, sink: Sink, event: Event, state: RunState) -> bool:
        """Show an event to a sink; say whether it could take it."""
        try:
            sink.show(event, state)
            return True
        except Exception as error:
            print(f"warning: {type(sink).__module__} failed and shows no more: {error!r}", file=sys.stderr)
            return False


def main(request: Request) -> tuple[int, float | None]:
    """Return the exit status and the objective's value."""
    layout.make_outputs(request.outputs)
    with Store(layout.store_dir(request.outputs)).in_use():
        return _run(request)


def _run(request: Request) -> tuple[int, float | None]:
    planning = _images.planned(request)
    plan, store, executors = planning.plan, planning.store, planning.executors
    to_run = [planned for planned in plan.jobs.values() if planned.record is None]
    try:
        _planning.bring(request, planning, _download.say)
        executors.prepare(to_run)
        run_dir = layout.new_run_dir(request.outputs, plan.usecase, plan.target.name, time.time())
        threading.Thread(target=report.template, daemon=True).start()
        with store.work(run_dir.name) as work, Journal(run_dir / FILE_NAME) as journal:
            executors.reclaim(plan.jobs.values() if store.has_abandoned() else to_run, work)
            _close_abandoned(request.outputs, store)
            tracking = _tracking(run_dir, request)
            recorder = Recorder(
                journal, [console.Sink(sys.stdout, run_dir=run_dir), *([tracking] if tracking else [])]
            )
            recorder.emit(
                _started(run_dir, request, plan),
                *({"event": "note", "stage": None, "text": text} for text in plan.notes),
            )
            limits = machine_limits(request.settings.executor.cpus, request.settings.fail_fast)
            scheduler = Scheduler(plan, store, executors, work, run_dir, limits, recorder.emit)
            start = time.monotonic()
            try:
                with _interruptible(scheduler):
                    status = scheduler.run()
                state = _finish(run_dir, recorder, status, time.monotonic() - start)
            except Exception as error:
                executors.close()
                if journal.is_in_place():
                    _give_up(run_dir, recorder, error, time.monotonic() - start)
                raise
    finally:
        executors.close()
    if tracking:
        tracking.close()
        print(f"MLflow: {tracking.outcome}")
    return {"finished": 0, "interrupted": 130}.get(status, 1), state.metrics.get(plan.objective or "")


def _finish(run_dir: Path, recorder: Recorder, status: str, seconds: float) -> RunState:
    """Write what users read, then say that the run is over: who sees the last event finds every file."""
    last = {"event": "run_finished", "status": status, "seconds": seconds}
    final = replay([{**last, "time": time.time()}], recorder.state)
    layout.write_contract(run_dir, final)
    recorder.show(report.Sink(run_dir), last, final)
    in_the_way = layout.point_latest(run_dir) if status == "finished" else ""
    recorder.emit(last)
    if in_the_way:
        print(f"warning: {in_the_way}", file=sys.stderr)
    return final


def _give_up(run_dir: Path, recorder: Recorder, error: Exception, seconds: float) -> None:
    """Record that the run ended here and why, as far as the disk takes it.

    What is in the store stays there.
    """
    why = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
    note = {"event": "note", "stage": None, "text": f"the run could not go on: {why}"}
    last = {"event": "run_finished", "status": "failed", "seconds": seconds}
    now = time.time()
    final = replay([{**note, "time": now}, {**last, "time": now}], recorder.state)
    with suppress(OSError):
        layout.write_contract(run_dir, final)
    recorder.show(report.Sink(run_dir), last, final)
    with suppress(OSError):
        recorder.emit(note, last)


def _started(run_dir: Path, request: Request, plan: Plan) -> dict[str, Any]:
    return {
        "event": "run_started",
        "run_id": run_dir.name,
        "usecase": plan.usecase,
        "target": plan.target.name,
        "platform": plan.target.platform,
        "machine": platform.machine(),
        "command": [*map(redact, request.command)],
        "git_commit": _git_commit(ROOT),
        "params": dict(plan.params),
        "objective": plan.objective,
        "assets": _assets(request, plan),
        "jobs": _planning.describe(plan),
    }


def _assets(request: Request, plan: Plan) -> list[dict[str, Any]]:
    found = [
        {
            "key": a.key,
            "name": a.name,
            "digest": a.digest,
            "source": a.source,
            "licence": a.licence,
            "path": str(a.path),
            "sample": a.sample,
        }
        for a in plan.assets.values()
    ]
    made = [
        {
            "key": key,
            "name": a.name,
            "digest": None,
            "source": a.source,
            "licence": a.licence,
            "path": None,
            "sample": a.sample,
        }
        for key, a in request.assets.items()
        if isinstance(a, Asset) and a.made_by and key in plan.jobs
    ]
    return found + made


def _tracking(run_dir: Path, request: Request) -> Any:
    if not request.settings.tracking.enabled:
        return None
    from engine.sinks import mlflow

    return mlflow.Sink(run_dir, request.outputs, request.settings.tracking.model_dump())


def _close_abandoned(outputs: Path, store: Store) -> None:
    """End the runs whose engines were killed, so that their files tell it."""
    gone = set(store.sweep())
    for run_dir in layout.runs(outputs) if gone else ():
        state = layout.state(run_dir) if run_dir.name in gone else None
        if state is None or state.status != "running" or state.damage:
            continue
        with suppress(PermissionError):  # another user's, who shares the folder without its group
            with Journal(run_dir / FILE_NAME) as journal:
                journal.append({"event": "run_finished", "status": "interrupted", "seconds": None})
            layout.write_contract(run_dir, layout.state(run_dir))


@contextmanager
def _interruptible(scheduler: Scheduler) -> Iterator[None]:
    """Let Ctrl-C and a polite kill end the run cleanly the first time and at once the second."""

    def interrupt(number: int, frame: object) -> None:
        scheduler.interrupts += 1

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _git_commit(folder: Path) -> str | None:
    """Return the project's commit without starting git.

    None where there is none, or the repository is damaged.
    """
    try:
        git = folder / ".git"
        if git.is_file():  # a worktree: the file names its folder
            git = folder / _word(git).removeprefix("gitdir: ")
        commit = _word(git / "HEAD")
        if commit.startswith("ref: "):
            common = git / _word(git / "commondir") if (git / "commondir").is_file() else git
            commit = _commit_of(common, commit.removeprefix("ref: "))
    except (OSError, UserError):
        return None
    return commit if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) else None


def _commit_of(git: Path, ref: str) -> str:
    """Return what a branch's file says, or else its line of packed-refs; empty where neither names it."""
    if (git / ref).is_file():
        return _word(git / ref)
    lines = (line.split(" ") for line in _word(git / "packed-refs").splitlines())
    return next((words[0] for words in lines if words[1:] == [ref]), "")


def _word(path: Path) -> str:
    """Return a file of git's, which may name a branch in any encoding."""
    return os.fsdecode(ordinary.read(path, _MOST_OF_GIT)).strip().replace("\0", "")
