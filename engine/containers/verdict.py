"""Decides how a container's job ended, from the engine's report and never only from the exit status.
Pure.
"""

import re
import signal
from dataclasses import replace
from datetime import datetime

from engine.containers.answers import Given, State
from engine.containers.refusals import kind_of
from engine.jobfolder import Ended
from engine.vocabulary import FailureKind

KILLED = 137  # 128 + SIGKILL: out of memory, a killed engine, or a user's kill
TERMINATED = 143  # 128 + SIGTERM: among others from an engine that shuts down

# Prefixes of lines from docker-init and runc: only they are searched for such causes, since a stage may
# report a missing device of its own
_NOT_THE_STAGES = ("[FATAL tini", "standard_init_linux.go", "exec /", "exec user process")

_WHYS = {
    "wrong_platform": "its image is for a processor that this engine cannot run ({text})",
    "no_device": (
        "its engine has no such device ({text}): plug the accelerator in, or choose a target without one"
    ),
    "no_command": "its image lacks the program to run ({text})",
    "image_missing": "its image is missing ({text}): python run.py images build",
    "disk_full": (
        "the disk of the container engine is full ({text}): docker system prune, and "
        "repeat the command"
    ),
}


def ended(
    stage: str, state: State, log_end: str, limits: Given, *, lost: FailureKind | None
) -> Ended:
    """Return how the job ended.

    state, limits: State and HostConfig of `docker inspect`. log_end: the end of the log. lost: the kind of
    failure if the engine was away for a while, otherwise None.
    """
    code, seconds = state.ExitCode, seconds_of(state)
    status = -(code - 128) if 128 < code <= 128 + 64 else code
    if code == 0:
        return Ended(stage, 0, seconds)
    if state.OOMKilled:
        allowed = (
            f"its limit of {limits.Memory / 1e6:,.0f} MB"
            if limits.Memory
            else "the machine's memory"
        )
        return Ended(
            stage,
            status,
            seconds,
            "out_of_memory",
            f"it ran out of memory ({allowed}): raise resources.memory of the stage",
        )
    if lost and code in (KILLED, TERMINATED):
        return Ended(
            stage,
            None,
            seconds,
            lost,
            "the container engine stopped and took the container with it",
        )
    if status == -signal.SIGBUS:
        return Ended(stage, status, seconds, "bus_error", _bus_error(limits.ShmSize))
    text = "\n".join(
        [state.Error, *(line for line in log_end.splitlines() if line.startswith(_NOT_THE_STAGES))]
    )
    kind = kind_of(text)
    if kind == "failed":
        return Ended(stage, status, seconds)
    return Ended(stage, status, seconds, kind, why(kind, text))


def why(kind: FailureKind, text: str) -> str:
    """Return the message for a refusal of the engine."""
    log_end = next(
        (line.strip() for line in reversed(text.splitlines()) if kind_of(line) == kind),
        text.strip(),
    )
    return _WHYS.get(kind, "the container engine reports: {text}").format(text=log_end[:300])


def no_space(ended: Ended, free_bytes: int | None, tmp: int, shm: int) -> Ended:
    """Return the end of a stage that ran out of space.

    free_bytes: of the disk; None if it is not on this machine.
    """
    own = (
        f"/tmp ({tmp / 1e6:,.0f} MB: executor.tmp=1G) or /dev/shm ({shm / 1e6:,.0f} MB: "
        "executor.shm=1G) of its container"
    )
    if free_bytes is None:
        return replace(
            ended,
            kind="disk_full",
            why=f"no space left: the disk of its device is full, or {own}; there: docker "
            "system prune",
        )
    if free_bytes < max(tmp, shm):
        return ended  # a full disk of this machine is reported by the scheduler
    return replace(
        ended,
        kind="disk_full",
        why=f"no space left, with {free_bytes / 1000000.0:,.0f} MB of disk free: {own} was full",
    )


def _bus_error(shm: int) -> str:
    return (
        f"SIGBUS ended it: usually /dev/shm is full, which has {shm / 1000000.0:,.0f} MB "
        "here: executor.shm=1G"
    )


def seconds_of(state: State) -> float:
    """Return how long the container ran."""
    start, end = (_moment(text) for text in (state.StartedAt, state.FinishedAt))
    return max((end - start).total_seconds(), 0.0) if start and end else 0.0


def _moment(text: str) -> datetime | None:
    """Return the engine's timestamp; its nanoseconds are cut to Python's microseconds."""
    match = re.match(
        r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)?$", text, re.ASCII
    )
    try:
        return datetime.fromisoformat(f"{match[1]}{match[2] or ''}+00:00") if match else None
    except ValueError:  # not a valid date
        return None
