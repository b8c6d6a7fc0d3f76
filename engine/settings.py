"""The keys of conf/config.yaml, typed: the settings common to all commands, in addition to a use case
and a target. No I/O.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.fields import validated


def _listed(value: Any) -> Any:
    """Turn a single word into a list."""
    return [value] if isinstance(value, str) else value


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Executor(_Model):
    """conf/executor/<name>.yaml; an executor may define additional keys."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    first_of: tuple[str, ...] = Field(
        (), description="candidate executors: the first that can run every stage is used"
    )
    driver: str = Field(
        "scheduler", description="the driver that runs the plan: engine/drivers/<name>.py"
    )
    cpus: float | None = Field(None, gt=0, allow_inf_nan=False)


class Tracking(_Model):
    """conf/tracking/<name>.yaml."""

    enabled: bool
    uri: str | None = None
    experiment: str | None = None
    artifact_max_bytes: int = Field(50_000_000, ge=0)


class Settings(_Model):
    """The settings common to all commands."""

    executor: Executor
    tracking: Tracking
    outputs: str = Field(min_length=1)
    run_name: str | None
    sinks: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    mirror: str | None
    data: str
    stage_packages: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    until: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    force: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    fail_fast: bool
    ssh_config: str | None
    base: Literal["auto", "bootstrap", "registry"]


def parse(data: Mapping[str, Any], where: str) -> Settings:
    """Return the settings, or raise all validation errors together."""
    return validated(Settings, data, "the settings are invalid", where)
