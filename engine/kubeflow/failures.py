"""Says why a task failed, from what the cluster, the step's report and its log know. Pure."""

import json
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.foreach import base_of
from engine.kubeflow.following import Task
from engine.outcome import Failure
from engine.plan import Job
from engine.stage import NO_SPACE
from engine.vocabulary import FailureKind

LAST_LINE = "stage failed: "  # begins the last line of a failed step's log
_SIGNS: tuple[tuple[str, FailureKind], ...] = (
    ("OOMKilled", "out_of_memory"),
    ("ImagePull", "image_missing"),
    ("InvalidImageName", "image_missing"),
    ("DeadlineExceeded", "timeout"),
    ("exceeded its deadline", "timeout"),
    ("Evicted", "killed"),
    ("evicted", "killed"),
    ("Preempt", "killed"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a failed step said: the stage's result, and its exit status."""

    status: int | None = None
    result: Mapping[str, Any] | None = None


def told_in(log: str) -> Told:
    """Return what the last lines of a pod's log say; the launcher's own lines may follow the step's."""
    for line in reversed(log.splitlines()[-50:]):
        _, found, text = line.partition(LAST_LINE)
        if found:
            with suppress(ValueError, RecursionError):
                data = json.loads(text)
                if isinstance(data, dict):
                    status = data.pop("status", None)
                    return Told(status if isinstance(status, int) else None, data)
    return Told()


def why(job: Job, task: Task, told: Told) -> Failure:
    """Return the kind and the reason of a task's failure."""
    sign = _sign(task.errors)
    if sign == "out_of_memory" or (sign is None and told.status == 128 + signal.SIGKILL):
        certain = "it exceeded its memory limit" if sign else "it was killed (SIGKILL), as a pod is"
        more = "" if sign else " that exceeds its memory limit"
        name = f"stages.{base_of(job.stage)}.resources.memory"
        return Failure(
            "out_of_memory", f"{certain}{more} of {_limit(job)}; to allow more, add {name}="
        )
    if sign is not None:
        return Failure(sign, f"its pod was ended by the cluster: {task.errors[-1]}")
    if told.status == NO_SPACE:
        return Failure("disk_full", "the disk of its pod is full")
    if told.status is not None and told.status > 128:
        return Failure("killed", f"it was ended by signal {told.status - 128}")
    error = str((told.result or {}).get("error") or "")
    if error:
        return Failure("failed", error)
    if told.status is not None:
        return Failure("failed", f"it ended with exit status {told.status}")
    cause = f": {task.errors[-1]}" if task.errors else ""
    return Failure("failed", f"its task failed on the cluster{cause}")


def lost(task: Task) -> str:
    """Return why an attempt that the cluster repeats was lost, as a sentence."""
    cause = f": {task.errors[0]}" if task.errors else ""
    return f"its pod was lost{cause}; the cluster tries again"


def _sign(errors: Iterable[str]) -> FailureKind | None:
    texts = [*errors]
    return next((kind for text in reversed(texts) for sign, kind in _SIGNS if sign in text), None)


def _limit(job: Job) -> str:
    memory = job.spec.resources.memory
    return f"{memory / 1e6:,.0f} MB" if memory else "its node"
