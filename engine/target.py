"""Targets: platform, accelerator and runtime, from one YAML file per target. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from engine import accelerator as accelerators
from engine.errors import did_you_mean
from engine.fields import Name, Size, validated
from engine.stage.platforms import PLATFORMS

DOCKER_SOCKET = "/var/run/docker.sock"
# A part that begins with "-" would be an option to ssh.
_DEVICE = re.compile(
    r"ssh://(?:(\w[\w.-]*)@)?(\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,6}))?(/[\w./+-]*\w)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a device's Docker engine; ssh's own configuration decides what is None."""

    user: str | None
    host: str
    port: int | None
    socket: str


def _with_accelerators(schema: dict[str, Any]) -> None:
    schema["enum"] = [*accelerators.NAMES]


def _with_buses(schema: dict[str, Any]) -> None:
    """Add the buses of all accelerators, which are imported only to generate a schema."""
    schema["anyOf"][0]["enum"] = [*accelerators.all_buses()]


class Target(BaseModel):
    """A target, as conf/target/<name>.yaml describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: str = ""
    platform: Literal["linux/amd64", "linux/arm64", "linux/arm/v7"]
    accelerator: str = Field(
        accelerators.NONE,
        description="the name of a file in engine/accelerators/; none: only the CPU",
        json_schema_extra=_with_accelerators,
    )
    bus: str | None = Field(
        None,
        validate_default=True,
        description="the bus of the accelerator; default: the usual one, such as usb",
        json_schema_extra=_with_buses,
    )
    accelerator_memory: Size = Field(
        0,
        description="bytes that a network may take in the accelerator; default: what the accelerator has; "
        "0: not limited",
    )
    runtime: Literal["litert", "tflite_runtime"] = Field(
        "litert",
        description="default: what the platform or the accelerator needs (tflite_runtime on "
        "linux/arm/v7, or with some accelerators), otherwise litert",
    )
    cpus: float = Field(4, gt=0, allow_inf_nan=False)
    memory: Size = Field(0, description="bytes, such as 4G")
    device: str | None = Field(
        None,
        description="ssh://[user@]host[:port][/path/to/docker.sock]; null: no device, figures are "
        "simulated",
    )

    @field_validator("accelerator")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in accelerators.NAMES:
            fix = did_you_mean(name, accelerators.NAMES)
            raise ValueError(f"there is no accelerator '{name:.40}'; {fix}")
        return name

    @field_validator("bus")
    @classmethod
    def _is_one_of_the_accelerators(cls, bus: str | None, info: ValidationInfo) -> str | None:
        """Return the bus, or the accelerator's default bus if none is named."""
        name = info.data.get("accelerator")
        if name is None:  # the accelerator is itself invalid, so its bus cannot be checked
            return bus
        known = accelerators.buses(name)
        if bus and not known:
            others = [one for one in accelerators.NAMES if accelerators.buses(one)]
            raise ValueError(
                f"accelerator '{name}' has no choice of bus; remove bus:, or write "
                f"accelerator: {' or '.join(others)}"
            )
        if bus and bus not in known:
            raise ValueError(
                f"accelerator '{name}' has no bus '{bus:.40}'; {did_you_mean(bus, known)}"
            )
        return bus or (known[0] if known else None)

    @field_validator("device")
    @classmethod
    def _is_an_address(cls, device: str | None) -> str | None:
        if device is not None:
            address(device)
        return device


def parse(data: Mapping[str, Any], where: str) -> Target:
    """Return the target, or raise all validation errors together."""
    return validated(
        Target,
        completed(data) if isinstance(data, Mapping) else data,
        "the target is invalid",
        where,
    )


def completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target's keys; add a suitable runtime, and the accelerator's memory, if it names none.

    LiteRT has no build for armv7, and an accelerator's library may need another runtime.
    """
    name = data.get("accelerator")
    if data.get("platform") == "linux/arm/v7":
        runtime = "tflite_runtime"
    else:
        runtime = accelerators.runtime(name) or "litert"
    return {"runtime": runtime, "accelerator_memory": accelerators.memory(name), **data}


def choices(key: str) -> tuple[Any, ...]:
    """Return the allowed values of a target's key, including None if it may be null.

    Empty if any value is allowed.
    """
    if key == "accelerator":
        return accelerators.NAMES
    if key == "bus":
        return (*accelerators.all_buses(), None)
    annotation = Target.model_fields[key].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def platform_of(machine: str) -> str:
    """Return the OCI name of a platform, given the output of `uname -m`."""
    names = {platform.machine: name for name, platform in PLATFORMS.items()}
    return names.get(machine, f"linux/{machine}")


def address(device: str) -> Address:
    """Return the address in a target's `device:`, or raise ValueError("what is wrong; what to write")."""
    form = "ssh://user@host, with :port and /path/to/docker.sock if they differ"
    if re.match(r"[a-z]*:?//[^/@]*:[^/@]*@", device):
        raise ValueError(
            "a device's address must not contain a password; use a key (ssh-copy-id), and "
            f"write {form}"
        )
    found = _DEVICE.fullmatch(device)
    if not found:
        raise ValueError(f"'{device:.80}' is not a device's address; write {form}")
    user, host, port, socket = found.groups()
    if port and not 0 < int(port) < 65536:
        raise ValueError(f"{port} is not a port; write a number between 1 and 65535")
    return Address(user, host.strip("[]"), int(port) if port else None, socket or DOCKER_SOCKET)
