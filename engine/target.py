"""Where a model shall run: platform, accelerator and runtime, from one YAML file a target. No I/O."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.fields import Name, Size, validated

_PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "armv7l": "linux/arm/v7"}


class Target(BaseModel):
    """A target, as conf/target/<name>.yaml describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: str = ""
    platform: Literal["linux/amd64", "linux/arm64", "linux/arm/v7"]
    accelerator: Literal["none", "edgetpu", "gpu"] = "none"
    runtime: Literal["litert", "tflite_runtime"] = Field(
        "litert", description="left out: tflite_runtime on linux/arm/v7 and with an Edge TPU, else litert"
    )
    cpus: float = Field(4, gt=0)
    memory: Size = Field(0, description="bytes, as 4G")
    device: str | None = Field(None, description="where the device is; null: there is none, figures are simulated")


def parse(data: Mapping[str, Any], where: str) -> Target:
    """Return the target, or raise all mistakes of form together."""
    return validated(Target, completed(data) if isinstance(data, Mapping) else data, "the target is wrong", where)


def completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target's keys with the runtime that fits it, where it names none.

    LiteRT has no build for armv7, and libedgetpu is built against the older tflite-runtime.
    """
    needs_older = data.get("platform") == "linux/arm/v7" or data.get("accelerator") == "edgetpu"
    return {"runtime": "tflite_runtime" if needs_older else "litert", **data}


def platform_of(machine: str) -> str:
    """Return the OCI name of the platform that `uname -m` calls so."""
    return _PLATFORMS.get(machine, f"linux/{machine}")
