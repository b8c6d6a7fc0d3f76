"""Reads the states of tasks from a run of the KFP API. Pure functions; no I/O.

A run lists Argo's nodes: a task, its driver (`<task>-driver`) and its executor are separate entries,
and an entry names its pods only as children (backend/src/apiserver/server/api_converter.go).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["waiting", "running", "done", "failed", "cancelled"]
_STATES: Mapping[str, State] = {
    "RUNNING": "running",
    "PAUSED": "running",
    "CANCELING": "running",
    "SUCCEEDED": "done",
    "SKIPPED": "done",  # from the cluster's cache
    "FAILED": "failed",
    "CANCELED": "cancelled",
}
DRIVER = "-driver"  # ends the name of the entry that prepares a task
_ATTEMPT = re.compile(r"\((\d+)\)$")  # ends the name of an attempt: executor(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the server knows of a task."""

    state: State
    name: str = ""
    attempt: int = 1
    pods: tuple[str, ...] = ()  # the last attempt's last
    errors: tuple[str, ...] = ()  # of its attempts, as far as the server knows them
    seconds: float = 0.0


def state(run: Mapping[str, Any]) -> State:
    """Return the state of a run."""
    return _STATES.get(str(run.get("state")), "waiting")


def has_ended(run: Mapping[str, Any]) -> bool:
    """Return whether the run will not change any more."""
    return state(run) in ("done", "failed", "cancelled")


def is_cancelled(run: Mapping[str, Any]) -> bool:
    """Return whether someone ended the run, so that its tasks fail without a fault of theirs."""
    return run.get("state") in ("CANCELING", "CANCELED")


def error(run: Mapping[str, Any]) -> str:
    """Return why a run failed, if the server says it; otherwise ""."""
    return _message(run) or next(iter(_errors(run)), "")


def stages_of(run: Mapping[str, Any]) -> dict[str, str]:
    """Return what the tasks of a run are called in its specification: task -> `taskInfo.name`.

    Empty if the server does not return the specification.
    """
    found: Any = run.get("pipeline_spec")
    for key in ("pipeline_spec", "root", "dag", "tasks"):
        if not isinstance(found, dict):
            return {}
        found = found.get(key) or (found if key == "pipeline_spec" else {})
    pairs = ((task, one.get("taskInfo") or {}) for task, one in found.items())
    return {task: str(info.get("name")) for task, info in pairs}


def tasks(run: Mapping[str, Any], stages: Mapping[str, str]) -> dict[str, Task]:
    """Return the tasks of a run by stage. stages: name of a task -> its stage."""
    details = (run.get("run_details") or {}).get("task_details") or []
    entries: list[Mapping[str, Any]] = [one for one in details if isinstance(one, dict)]
    found: dict[str, Task] = {}
    failed_drivers: dict[str, str] = {}
    for entry in entries:
        name = str(entry.get("display_name"))
        if name in stages:
            found[stages[name]] = _task(entry, entries)
        elif (
            name.removesuffix(DRIVER) in stages and _STATES.get(str(entry.get("state"))) == "failed"
        ):
            failed_drivers[stages[name.removesuffix(DRIVER)]] = _message(entry)
    for stage, why in failed_drivers.items():
        if stage not in found or found[stage].state == "waiting":
            what = f"the cluster could not prepare it{f': {why}' if why else ''}"
            found[stage] = Task(state="failed", errors=(what,))
    return found


def _task(entry: Mapping[str, Any], entries: list[Mapping[str, Any]]) -> Task:
    below = list(_below(entry, entries))
    history = [str(one.get("state")) for one in entry.get("state_history") or []]
    numbered = [found for one in below if (found := _ATTEMPT.search(_name(one)))]
    again = sum(
        now == "RUNNING"
        for before, now in zip(["", *history], history, strict=False)
        if before != "RUNNING"
    )
    attempt = max(1, again, *(int(found[1]) + 1 for found in numbered))
    errors = [text for one in (*below, entry) for text in (*_errors(one), _message(one)) if text]
    pods = [str(one["pod_name"]) for one in below if one.get("pod_name")]
    pods += [str(one["pod_name"]) for one in entry.get("child_tasks") or [] if one.get("pod_name")]
    return Task(
        state=_STATES.get(str(entry.get("state")), "waiting"),
        name=_name(entry),
        attempt=attempt,
        pods=tuple(dict.fromkeys(pods)),
        errors=tuple(dict.fromkeys(errors)),
        seconds=_seconds(entry),
    )


def _below(
    entry: Mapping[str, Any], entries: list[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield the entries that the entry names as its children, as far as the server identifies them."""
    ids = {
        str(value)
        for child in entry.get("child_tasks") or []
        for key in ("pod_name", "task_id")
        if (value := child.get(key))
    }
    for one in entries:
        is_child = str(one.get("pod_name")) in ids or str(one.get("task_id")) in ids
        if one is not entry and is_child and not _name(one).endswith(DRIVER):
            yield one
            if _name(one) == "executor":  # of its attempts
                yield from _below(one, entries)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("display_name"))


def _errors(entry: Mapping[str, Any]) -> list[str]:
    return [text for one in entry.get("state_history") or [] if (text := _message(one))]


def _message(entry: Mapping[str, Any]) -> str:
    found = entry.get("error")
    return (
        " ".join(str(found.get("message") or "").split())[:300] if isinstance(found, dict) else ""
    )


def _seconds(entry: Mapping[str, Any]) -> float:
    """Return how long a task took; 0 if the server does not say."""
    try:
        start, end = (
            datetime.fromisoformat(str(entry.get(key))) for key in ("start_time", "end_time")
        )
        return max(0.0, (end - start).total_seconds())
    except (ValueError, TypeError):
        return 0.0
