"""The NVIDIA GPUs of this machine: found in /proc, counted, and given to one stage at a time.

Stages see no GPU unless they ask for one with `resources: {gpu: 1}`. Not yet tested on a physical GPU.
"""

import os
import platform
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UserError
from engine.wording import plural

FOLDER = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU, made by NVIDIA's driver
VARIABLE = "CUDA_VISIBLE_DEVICES"  # which GPUs a process sees, by UUID or number
_MOST_BYTES = 10_000
_UUID = re.compile(r"GPU-[0-9a-f-]+")
WHERE = "resources.gpu"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its UUID, or its number if the driver has none, and its model."""

    id: str
    model: str


def here(caller: Mapping[str, str] = os.environ) -> list[Gpu]:
    """Return the GPUs of this machine that the caller may use, in the order of their bus addresses.

    caller: its environment, in which CUDA_VISIBLE_DEVICES may name some of them
    """
    found = [_read(path, at) for at, path in enumerate(sorted(FOLDER.glob("*/information")))]
    if VARIABLE not in caller:
        return found
    named = [word.strip() for word in caller[VARIABLE].split(",")]
    return [gpu for at, gpu in enumerate(found) if str(at) in named or gpu.id in named]


def refuse(wanted: int) -> None:
    """Raise UserError if this machine has fewer GPUs."""
    found = len(here())
    if wanted <= found:
        return
    why = f"{FOLDER} has none: there is no NVIDIA GPU, or its driver is not loaded"
    if len(here({})) > found:
        why = f"{VARIABLE}={os.environ[VARIABLE]} leaves out {len(here({})) - found}"
    what = f"the stage needs {plural(wanted, 'GPU')}, and this machine has {found} ({why})"
    fix = (
        f"write gpu: {found}{'' if found else ' to use the CPU'}, or run it on a machine with more"
    )
    raise UserError(WHERE, what, fix)


def counted(wanted: int, source: str | None = None) -> dict[str, str]:
    """Return the part of the fingerprint of a stage that asks for GPUs; empty for any other stage.

    source: a description of the GPUs; default: the models of this machine
    """
    if not wanted:
        return {}
    found = source or ", ".join(sorted({gpu.model for gpu in here()}))
    return {"gpu": f"{wanted} of {found}"}


def refuse_platform(wanted_on: str) -> None:
    """Raise UserError unless it is the platform of PCs with GPUs, and of this machine."""
    if wanted_on != "linux/amd64" or platform.machine() != "x86_64":
        what = f"a stage on {wanted_on} cannot use a GPU of this machine"
        raise UserError(WHERE, what, "remove gpu, or let the stage run on a PC: runs_on: build")


@dataclass(slots=True)
class Pool:
    """Which stage of this process has which GPUs.

    Other engines on this machine are not considered: they may give the same GPUs to their stages.
    """

    _taken: dict[str, Sequence[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, stage: str, count: int) -> tuple[str, ...]:
        """Give the stage so many GPUs, free ones first, and return their ids."""
        if not count:
            return ()
        with self._lock:
            taken = {one for ids in self._taken.values() for one in ids}
            ids = sorted((gpu.id for gpu in here()), key=lambda one: one in taken)
            self._taken[stage] = ids[:count]
            return tuple(ids[:count])

    def give_back(self, stage: str) -> None:
        """Take note that the stage has ended."""
        with self._lock:
            self._taken.pop(stage, None)


def _read(path: Path, number: int) -> Gpu:
    try:
        text = path.read_bytes()[:_MOST_BYTES].decode("ascii", "replace")
    except OSError:
        text = ""
    facts = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in text.splitlines())
    }
    uuid = facts.get("GPU UUID", "")
    is_known = _UUID.fullmatch(uuid)
    return Gpu(uuid if is_known else str(number), facts.get("Model") or "unknown GPU")
