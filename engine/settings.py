"""The keys of conf/config.yaml, typed: the settings common to all commands, in addition to a use case
and a target. No I/O.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.fields import validated

# Amazon S3 and Google Cloud Storage, "bucket naming rules": what a name consists of, its greatest
# length, and the same in words
_BUCKET = {
    "s3": (
        re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", re.ASCII),
        63,
        "lower-case letters, digits, dots and hyphens",
    ),
    "gs": (
        re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", re.ASCII),
        222,
        "lower-case letters, digits, dots, underscores and hyphens",
    ),
}


def _listed(value: Any) -> Any:
    """Turn a single word into a list."""
    return [value] if isinstance(value, str) else value


def _label(value: Any) -> Any:
    """Accept a Kubernetes label as KEY=VALUE."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9][\w./-]*=[\w.-]*", str(value)):
        raise ValueError(f"'{value!s:.80}' is not a label; write KEY=VALUE")
    return value


def _kubernetes_name(value: Any) -> Any:
    """Accept the name of a Kubernetes object: a DNS subdomain (RFC 1123)."""
    if value is not None and not (
        len(str(value)) <= 253 and re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", str(value))
    ):
        raise ValueError(
            f"'{value!s:.80}' is not a name in Kubernetes; use lower-case letters, digits and -"
        )
    return value


def _root(value: Any) -> Any:
    """Return an address or a folder without a trailing slash, and a folder without `file://`."""
    if not isinstance(value, str):
        return value
    scheme, mark, path = value.removeprefix("file://").partition("://")
    if scheme in _BUCKET:
        _check_bucket(scheme, path.partition("/")[0])
    return f"{scheme}{mark}{path.rstrip('/')}" if mark else scheme.rstrip("/") or "/"


def _check_bucket(scheme: str, name: str) -> None:
    """Raise ValueError if the service refuses to create a bucket with this name."""
    if not name:
        raise ValueError(f"it names no bucket; write {scheme}://BUCKET/PREFIX")
    pattern, most, letters = _BUCKET[scheme]
    if not pattern.fullmatch(name) or not 3 <= len(name) <= most or ".." in name:
        raise ValueError(
            f"'{name:.80}' is not the name of a bucket; write 3 to {most} {letters}, with a letter "
            "or a digit at both ends, as in my-bucket"
        )


_Label = Annotated[str | None, BeforeValidator(_label)]
_KubernetesName = Annotated[str | None, BeforeValidator(_kubernetes_name)]


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


class Kubeflow(_Model):
    """The cluster of `executor=kubeflow`. The token comes from `token_file` or KUBEFLOW_TOKEN."""

    host: str | None = Field(
        None, description="address of the KFP API, such as https://kfp.example.org; null: none"
    )
    namespace: _KubernetesName = Field(
        None, description="namespace of the runs; null: the cluster has a single user"
    )
    experiment: str = Field("raspberrypi-mlops", min_length=1, description="experiment of the runs")
    token_file: str | None = Field(
        None, description="file with the API token; null: the variable KUBEFLOW_TOKEN, if it is set"
    )
    ca_file: str | None = Field(
        None, description="certificates to trust for the host; null: those of the system"
    )
    data_root: Annotated[str | None, BeforeValidator(_root)] = Field(
        None,
        description="where assets and results are stored: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, "
        "or a folder that this machine and the volume share",
    )
    volume: _KubernetesName = Field(
        None,
        description="PersistentVolumeClaim that contains data_root, if that is a folder; it is "
        "mounted at the same path",
    )
    registry: str | None = Field(
        None, description="where images are pushed and pulled: HOST[:PORT]/PATH"
    )
    secret: _KubernetesName = Field(
        None, description="Kubernetes secret with the variables that stages list in pass_env"
    )
    arm64_nodes: bool = Field(
        False, description="true: stages of an arm64 target run on arm64 nodes, not emulated"
    )
    accelerator_label: _Label = Field(
        None, description="label of the nodes with the target's accelerator: KEY=VALUE"
    )
    gpu_label: _Label = Field(None, description="label of the nodes with NVIDIA GPUs: KEY=VALUE")
    poll_s: float = Field(
        5.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="seconds between looks at a submitted run",
    )
    timeout_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="time limit of one request to host or data_root",
    )


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
    kubeflow: Kubeflow = Kubeflow()


def parse(data: Mapping[str, Any], where: str) -> Settings:
    """Return the settings, or raise all validation errors together."""
    return validated(Settings, data, "the settings are invalid", where)
