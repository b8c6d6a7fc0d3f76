"""Where a model shall run: platform, accelerator and runtime, from one YAML file a target. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from engine.fields import Name, Size, validated
from engine.stage.platforms import PLATFORMS

DOCKER_SOCKET = "/var/run/docker.sock"
# A word of it that begins with "-" would be an option to ssh.
_DEVICE = re.compile(
    r"ssh://(?:(\w[\w.-]*)@)?(\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,6}))?(/[\w./+-]*\w)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device's Docker engine is reached; what is None, ssh's own configuration says."""

    user: str | None
    host: str
    port: int | None
    socket: str


class Target(BaseModel):
    """A target, as conf/target/<name>.yaml describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: str = ""
    platform: Literal["linux/amd64", "linux/arm64", "linux/arm/v7"]
    accelerator: Literal["none", "edgetpu", "gpu"] = "none"
    bus: Literal["usb", "pcie"] | None = Field(
        None, validate_default=True, description="of the Edge TPU; usb where nothing is said"
    )
    runtime: Literal["litert", "tflite_runtime"] = Field(
        "litert",
        description="left out: tflite_runtime on linux/arm/v7 and with an Edge TPU, else litert",
    )
    cpus: float = Field(4, gt=0, allow_inf_nan=False)
    memory: Size = Field(0, description="bytes, as 4G")
    device: str | None = Field(
        None,
        description="ssh://[user@]host[:port][/path/to/docker.sock]; null: there is none, figures are "
        "simulated",
    )

    @field_validator("bus")
    @classmethod
    def _is_an_edge_tpus(cls, bus: str | None, info: ValidationInfo) -> str | None:
        """An Edge TPU is on USB where nothing else is said; without one there is no bus."""
        has_one = info.data.get("accelerator") == "edgetpu"
        if bus and not has_one:
            raise ValueError(
                "only an Edge TPU has a bus; write accelerator: edgetpu, or leave bus out"
            )
        return bus or ("usb" if has_one else None)

    @field_validator("device")
    @classmethod
    def _is_an_address(cls, device: str | None) -> str | None:
        if device is not None:
            address(device)
        return device


def parse(data: Mapping[str, Any], where: str) -> Target:
    """Return the target, or raise all mistakes of form together."""
    return validated(
        Target, completed(data) if isinstance(data, Mapping) else data, "the target is wrong", where
    )


def completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target's keys with the runtime that fits it, where it names none.

    LiteRT has no build for armv7, and libedgetpu is built against the older tflite-runtime.
    """
    needs_older = data.get("platform") == "linux/arm/v7" or data.get("accelerator") == "edgetpu"
    return {"runtime": "tflite_runtime" if needs_older else "litert", **data}


def platform_of(machine: str) -> str:
    """Return the OCI name of the platform that `uname -m` calls so."""
    names = {platform.machine: name for name, platform in PLATFORMS.items()}
    return names.get(machine, f"linux/{machine}")


def address(device: str) -> Address:
    """Return what a target's `device:` says, or raise ValueError: what is wrong; what to write."""
    form = "ssh://user@host, with :port and /path/to/docker.sock where they differ"
    if re.match(r"[a-z]*:?//[^/@]*:[^/@]*@", device):
        raise ValueError(
            f"a password has no place in a device's address; use a key (ssh-copy-id), and write {form}"
        )
    found = _DEVICE.fullmatch(device)
    if not found:
        raise ValueError(f"'{device:.80}' is no device's address; write {form}")
    user, host, port, socket = found.groups()
    if port and not 0 < int(port) < 65536:
        raise ValueError(f"{port} is no port; write one between 1 and 65535")
    return Address(user, host.strip("[]"), int(port) if port else None, socket or DOCKER_SOCKET)
