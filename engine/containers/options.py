"""The privileges and limits of a stage's container: the minimum that its job needs. Plain data for
docker-py; nothing is called here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine import gpus
from engine.accelerator import Access
from engine.containers.answers import Info
from engine.context import ExecutorContext
from engine.environment import passed
from engine.fields import Size, validated
from engine.jobfolder import ENVIRONMENT, Launch
from engine.stage.platforms import PLATFORMS

LABEL = "raspberrypi-mlops"
# share of the machine's memory for a container without its own limit, so that the machine stays responsive
MEMORY_SHARE = 0.75
LEAST_MEMORY = 6 << 20  # Docker's minimum
_MOST_PIDS = 1 << 22  # Linux's maximum
CPUS = Path("/sys/devices/system/cpu")
ROOT_STANDS_IN = 1000  # the user id of containers if root runs the engine

# If LiteRT for arm64 reads the x86 host's CPU caches under QEMU, it crashes with signal 11
# (docs/containers-pipeline.md), so four CPUs without caches are shown instead.
FOUR_CPUS = Path(__file__).with_name("processors")


class Limits(BaseModel):
    """conf/executor/docker.yaml: the limits of a container whose stage sets none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: Size | None = Field(
        None, description="bytes, such as 4G; null: 75 % of the machine's memory; 0: no limit"
    )
    pids: int = Field(2048, gt=0, le=_MOST_PIDS)
    tmp: Size = Field(256_000_000, gt=0, description="size of /tmp, in memory")
    shm: Size = Field(256_000_000, gt=0, description="size of /dev/shm, which data loaders share")
    network: str = Field(
        "bridge", min_length=1, description="the engine's network for stages with network: true"
    )

    @field_validator("memory")
    @classmethod
    def _is_enough(cls, memory: int | None) -> int | None:
        if memory and memory < LEAST_MEMORY:
            raise ValueError(
                "a container needs at least 6M of memory; write 512M or 2G, or 0 for no limit"
            )
        return memory


def limits(context: ExecutorContext) -> Limits:
    """Return the limits, or raise all mistakes in them together; ignore the executor's own keys."""
    own = {key: value for key, value in context.options.items() if key in Limits.model_fields}
    name = context.options.get("name", "docker")
    return validated(Limits, own, "the executor's options are invalid", f"executor={name}")


def memory_limit(limits: Limits, machine_bytes: int) -> int | None:
    """Return the limit of a container whose stage sets none: the option's value, or a share of the
    machine's memory.
    """
    return (int(machine_bytes * MEMORY_SHARE) if limits.memory is None else limits.memory) or None


@dataclass(frozen=True, slots=True)
class User:
    """The user that a container runs as, never root."""

    uid: int
    gid: int

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


def user(uid: int, gid: int) -> User:
    """Return the caller, or an ordinary user if the caller is root."""
    return User(uid, gid) if uid else User(ROOT_STANDS_IN, ROOT_STANDS_IN)


def labels(launch: Launch, context: ExecutorContext) -> dict[str, str]:
    """Return the labels by which this or another engine process finds the container again."""
    return {
        LABEL: str(context.store),
        f"{LABEL}.run": launch.run_id,
        f"{LABEL}.stage": launch.job.stage,
        f"{LABEL}.attempt": str(launch.attempt),
        f"{LABEL}.fingerprint": launch.fingerprint,
        f"{LABEL}.folder": str(launch.folder),
        f"{LABEL}.log": str(launch.log),
    }


def container(
    launch: Launch,
    context: ExecutorContext,
    owner: User,
    mounts: Sequence[Any],
    log: Path | None,
    access: Access,
    python_path: str,
    machine: Info,
) -> dict[str, Any]:
    """Return the options of the job's container.

    access: to its accelerator. machine: the engine's description of its machine. log: None if the
    engine keeps the log, the last 5 to 10 MB in two rotating files.
    """
    spec, most = launch.job.spec, limits(context)
    memory = spec.resources.memory or memory_limit(most, machine.MemTotal)
    cwd = str(launch.folder / "cwd")
    place = launch.job.placement
    processor, shown = emulation(place.platform) if place.emulated else ({}, [])
    given = {**spec.env, **passed(spec.pass_env, os.environ)}
    environment = {
        **ENVIRONMENT,
        **processor,
        # numbered from 0 in the container, which sees only these
        **({gpus.VARIABLE: ",".join(map(str, range(len(launch.gpus))))} if launch.gpus else {}),
        **given,
        "PYTHONPATH": python_path,
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": cwd,
        "HOME": cwd,
    }
    return {
        "entrypoint": [
            "python3",
            "-m",
            "engine.stage",
            str(launch.folder),
            *([str(log)] if log else []),
        ],
        "labels": labels(launch, context),
        "environment": environment,
        "working_dir": cwd,
        "user": str(owner),
        "mounts": [
            *mounts,
            *shown,
            *(bind(path, read_only=False) for path in access.binds),
        ],
        "network_mode": most.network if spec.network else "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"size={most.tmp},mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": memory,
        "memswap_limit": memory,  # otherwise it could use the same amount of swap in addition
        "nano_cpus": int(min(spec.resources.cpus, machine.NCPU) * 1e9)
        if "cpus" in spec.resources.model_fields_set
        else None,
        "pids_limit": spec.resources.pids or most.pids,
        "shm_size": most.shm,
        "init": True,
        "log_config": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}},
        **_devices(access),
        **({"device_requests": [_gpus(launch.gpus)]} if launch.gpus else {}),
    }


def emulation(platform: str) -> tuple[dict[str, str], list[Any]]:
    """Return the environment and the mounts that a container of another platform needs under QEMU."""
    return emulated_processor(platform), [bind(FOUR_CPUS, CPUS)]


def emulated_processor(platform: str) -> dict[str, str]:
    """Return the variable that chooses QEMU's model of processor, if the platform needs a certain one."""
    qemu_cpu = PLATFORMS[platform].qemu_cpu
    return {"QEMU_CPU": qemu_cpu} if qemu_cpu else {}


def _gpus(ids: Sequence[str]) -> Any:
    """Return the request for these GPUs, as `docker run --gpus` makes it."""
    from docker.types import DeviceRequest

    return DeviceRequest(device_ids=list(ids), capabilities=[["gpu", "compute", "utility"]])


def _devices(access: Access) -> Mapping[str, Any]:
    """Return the accelerator's devices, which the container may open in addition to the usual ones."""
    options = {
        "devices": [f"{node}:{node}:rw" for node in access.devices],
        "device_cgroup_rules": list(access.cgroup_rules),
        "group_add": list(map(str, access.groups)),
    }
    return {name: value for name, value in options.items() if value}


def bind(path: Path, to: Path | None = None, *, read_only: bool = True) -> Any:
    """Return the mount of a path on the engine's machine. A missing path is refused; with `volumes`, the
    engine would create an empty folder instead.
    """
    from docker.types import Mount

    return Mount(target=str(to or path), source=str(path), type="bind", read_only=read_only)
