"""Where a job runs, in what environment, and how its figures are labelled. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.target import Target
from engine.vocabulary import RunsOn

DEVICE = "device"  # where figures of the device were measured
HOST_EXECUTOR, DEVICE_EXECUTOR = (
    "local",
    "device",
)  # of stages with `runs_on: host`, and of a target's device
EMULATED = "emulated (qemu)"


def executor_of(runs_on: RunsOn, target: Target, chosen: str) -> str:
    """Return the name of the executor that runs such a stage; `chosen` is that of the build
    machine.
    """
    if runs_on == "host":
        return HOST_EXECUTOR
    return DEVICE_EXECUTOR if runs_on == "target" and target.device else chosen


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a job runs with the chosen executor."""

    platform: str
    emulated: bool
    measured_on: str  # "x86_64", "simulated on x86_64", "emulated (qemu)" or "device"
    environment: Mapping[str, str] = field(
        default_factory=dict
    )  # what of it a job's fingerprint counts
    image: str | None = None  # its full name in a container engine; None: a local process
