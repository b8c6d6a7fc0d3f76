"""Where a job runs, in what environment, and how its figures are labelled. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.target import Target
from engine.tools.definition import Environment
from engine.vocabulary import RunsOn

DEVICE = "device"  # `measured_on` of figures from the device
HOST_EXECUTOR, DEVICE_EXECUTOR = (
    "local",
    "device",
)  # executors of stages with `runs_on: host`, and of a target's device
DOCKER_EXECUTOR = "docker"  # of the stages of a cluster's plan that run on this machine
CLUSTER_EXECUTOR = "kubeflow"  # it also gets stages with `runs_on: host`, to refuse them
EMULATED = "emulated (qemu)"
ARM64_NODE = "arm64 node"  # of a cluster: not the target's own processor


def executor_of(runs_on: RunsOn, target: Target, chosen: str) -> str:
    """Return the name of the executor for a stage; `chosen` is the build machine's executor."""
    if runs_on == "host" and chosen != CLUSTER_EXECUTOR:
        return HOST_EXECUTOR
    return DEVICE_EXECUTOR if runs_on == "target" and target.device else chosen


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a job runs with the chosen executor."""

    platform: str
    emulated: bool
    measured_on: str  # "x86_64", "simulated on x86_64", "emulated (qemu)", "arm64 node" or "device"
    environment: Mapping[str, str] = field(default_factory=dict)  # its part of a job's fingerprint
    image: str | None = None  # its full name in a container engine; None: a local process
    tools: Environment | None = None  # the virtual environment of a local process; None: the engine's
    note: str = ""  # for the user: what the stage names and does not get
