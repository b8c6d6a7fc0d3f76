"""Runs the jobs of a target on the device itself, in containers of its Docker engine, over SSH.

Their figures are measured on the device.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine import accelerator, gpus
from engine.accelerator import NO_ACCESS, Access
from engine.containers import answers
from engine.containers.jobs import Containers
from engine.containers.tunnel import Tunnel
from engine.containers.volumes import Volumes
from engine.context import ExecutorContext
from engine.errors import UserError
from engine.images import Image
from engine.jobfolder import Launch
from engine.placement import DEVICE, Placement
from engine.plan import Planned
from engine.spec import StageSpec
from engine.target import platform_of
from engine.vocabulary import FailureKind


class Device:
    """The target's device, and the connection to its engine."""

    lost: FailureKind = "device_lost"

    def __init__(self, context: ExecutorContext) -> None:
        self._target = context.target
        self.where = f"target={self._target.name}: device {self._target.device}"
        self._tunnel = (
            Tunnel(self._target.device, self.where, context.ssh_config)
            if self._target.device
            else None
        )
        self.files = Volumes(context)

    def connect(self) -> Any:
        """Return a client of the engine; raise UserError with the reason if it is unreachable."""
        if self._tunnel is None:
            raise UserError(
                f"target={self._target.name}: device",
                "this target has no device",
                "write device: ssh://user@host",
            )
        return self._tunnel.connect()

    def unavailable(self, reach: Callable[[], Any]) -> str:
        """Return why the device's engine is unreachable; empty if it is reachable."""
        try:
            reach()
        except UserError as error:
            return error.what
        return ""

    def platform(self, spec: StageSpec) -> str:
        """Return the target's platform."""
        return self._target.platform

    def place(self, spec: StageSpec, image: Image) -> Placement:
        """Return where the stage runs: on the device."""
        return Placement(image.platform, False, DEVICE, {"image": image.full_name}, image.full_name)

    def refuse_gpus(self, client: Any, spec: StageSpec) -> None:
        """Raise UserError: stages on a device do not get GPUs."""
        fix = "remove gpu, or let the stage run on this machine: runs_on: build"
        raise UserError(gpus.WHERE, "a stage on a device cannot use a GPU", fix)

    def refuse(self, client: Any, jobs: Sequence[Planned]) -> None:
        """Raise UserError if the device does not match the target.

        An engine on 64-bit Arm also runs 32-bit images; any other foreign image would be emulated, and
        its figures would not be the device's.
        """
        found, aim = platform_of(answers.info(client).Architecture), self._target.platform
        if found != aim and (aim, found) != ("linux/arm/v7", "linux/arm64"):
            raise UserError(
                self.where,
                f"the device is {found}, but the target is {aim}",
                "choose the target for this device",
            )

    def access(self, launch: Launch) -> Access:
        """Return access to the target's accelerator for a job that asks for it. If the device lacks it, its
        engine refuses.
        """
        if not launch.job.spec.resources.accelerator:
            return NO_ACCESS
        return accelerator.access_to(self._target.accelerator, self._target.bus)

    def close(self) -> None:
        """Close the connection."""
        if self._tunnel is not None:
            self._tunnel.close()


Executor = partial(Containers, Device)
