"""The files with a run's results: run.json and metrics.json, which users' scripts read, and the journal.

`state` replays the journal for everything about a run. `summary` is fast enough for lists of runs:
for a finished run it only reads run.json.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import handles, journal
from engine.durable import write_whole
from engine.events import RunState, StageState, replay
from engine.vocabulary import RunStatus, StageStatus

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RUN_FILE, METRICS_FILE = "run.json", "metrics.json"
MOST_BYTES = 64_000_000  # a larger run.json is invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSummary:
    """A stage in a list of runs."""

    state: StageStatus
    cached: bool
    fingerprint: str | None
    outputs: dict[str, str]  # name -> digest


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a list of runs."""

    status: RunStatus
    stages: dict[str, StageSummary]
    damage: str = ""  # why the rest of the journal cannot be read, as a sentence
    until: list[str] = field(default_factory=list)  # the stages with which the plan ended

    @property
    def is_complete(self) -> bool:
        """Return whether the run was planned without `until`, and finished."""
        return self.status == "finished" and not self.until


def state(run_dir: Path) -> RunState:
    """Return the state from a run's journal, as far as it can be read; `damage` says why it ends early."""
    follower = journal.Follower(run_dir / journal.FILE_NAME)
    found = replay(follower.poll())
    found.damage = follower.damage
    return found


def summary(run_dir: Path) -> RunSummary:
    """Return the summary of a run: from run.json if it is over, otherwise from its journal.

    The journal is also read if run.json is missing or damaged, or older than the journal.
    """
    found = _read(run_dir / RUN_FILE) if is_sealed(run_dir) else None
    return found or _of(state(run_dir))


def first_event(run_dir: Path) -> dict[str, Any]:
    """Return the first event of a run's journal; empty if it cannot be read."""
    try:
        with open(handles.open_file(run_dir / journal.FILE_NAME), "rb") as file:
            found = json.loads(file.readline(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_sealed(run_dir: Path) -> bool:
    """Return whether run.json is as new as the journal, and the journal is complete.

    run.json is written before the last event: if the engine is killed between the two, the run is
    not over.
    """
    try:
        written_ns = (run_dir / RUN_FILE).stat().st_mtime_ns
        is_new = (run_dir / journal.FILE_NAME).stat().st_mtime_ns <= written_ns
        return is_new and journal.last_kind(run_dir / journal.FILE_NAME) == "run_finished"
    except OSError:
        return False


def write_contract(run_dir: Path, state: RunState) -> None:
    """Write run.json and metrics.json."""
    write_whole(run_dir / RUN_FILE, json.dumps(run_json(state), indent=2).encode(), durable=False)
    write_whole(run_dir / METRICS_FILE, json.dumps(state.metrics, indent=2).encode(), durable=False)


def seal(run_dir: Path) -> None:
    """Mark run.json as up to date, although the journal's last event was appended after it was written."""
    with suppress(OSError):  # then the run is read from the journal, more slowly
        os.utime(run_dir / RUN_FILE)


def run_json(state: RunState) -> dict[str, object]:
    """Return the content of run.json."""
    keys = (
        "run_id",
        "name",
        "usecase",
        "target",
        "platform",
        "machine",
        "command",
        "git_commit",
        "git_modified",
        "objective",
        "params",
        "assets",
    )
    return {
        "v": 1,
        "status": state.status,
        "seconds": state.seconds,
        "started": state.start.get("time"),
        **{key: state.start.get(key) for key in keys},
        "until": list(state.start.get("until", ())),
        "notes": state.notes,
        "stages": {stage.name: _stage_json(stage) for stage in state.stages.values()},
    }


def _stage_json(stage: StageState) -> dict[str, object]:
    return {
        "state": stage.state,
        "cached": stage.cached,
        "seconds": stage.seconds,
        "platform": stage.platform,
        "emulated": stage.emulated,
        "measured_on": stage.measured_on,
        "fingerprint": stage.fingerprint,
        "attempt": stage.attempt,
        "outputs": stage.outputs,
        "gates": stage.gates,
    }


def _read(path: Path) -> RunSummary | None:
    """Return the summary in run.json, or None if it is not a valid file of a finished run."""
    try:
        found = _form().validate_json(handles.read(path, MOST_BYTES))
    except (OSError, ValueError):
        return None
    return None if found.status == "running" else found


@cache
def _form() -> "TypeAdapter[RunSummary]":
    from pydantic import TypeAdapter

    return TypeAdapter(RunSummary)


def _of(state: RunState) -> RunSummary:
    stages = {
        stage.name: StageSummary(
            state=stage.state,
            cached=stage.cached,
            fingerprint=stage.fingerprint,
            outputs=stage.outputs,
        )
        for stage in state.stages.values()
    }
    until = list(state.start.get("until", ()))
    return RunSummary(state.status, stages, state.damage, until)
