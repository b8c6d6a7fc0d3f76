"""Runs the jobs of a target on the device itself: containers of its Docker engine, which SSH reaches. Figures from here are the device's."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.executors import _images, _known
from engine.executors._containers import Containers
from engine.executors._tunnel import Tunnel
from engine.executors._volumes import Volumes
from engine.jobfolder import Ended, Launch
from engine.placement import DEVICE, Placement, Setting
from engine.plan import Planned
from engine.signature import Signature
from engine.spec import StageSpec
from engine.target import platform_of


class Executor:
    """Containers of the device."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._where = f"target={setting.target.name}: device {setting.target.device}"
        self._tunnel = Tunnel(setting.target.device, self._where, setting.ssh_config) if setting.target.device else None
        self._containers = Containers(setting, self._connect, Volumes(setting), self._edgetpu, lost="device_lost")

    def place(self, spec: StageSpec, signature: Signature | None) -> Placement:
        """Return where the stage runs: on the device, in the image for its platform."""
        aim = self._setting.target
        image = _images.choose(self._setting, aim.platform, spec, signature, self._connect)
        return Placement(aim.platform, False, DEVICE, {"image": image.reference}, image.reference)

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the images of these jobs that the device does not have."""
        client = self._connect()
        self._refuse_another_platform(client)
        return _images.missing(client, planned)

    def load(self, reference: str, archive: Path) -> None:
        """Send the device an image."""
        _known.load(self._setting.store, self._connect(), reference, archive)

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Refuse what the device could not run."""
        _images.check(self._connect(), self._setting.store, planned)

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Take over or remove what ended engines left on the device."""
        self._containers.reclaim(planned, work)

    def launch(self, launch: Launch) -> None:
        """Start the job; its end comes from `wait`."""
        self._containers.launch(launch)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""
        return self._containers.wait(timeout_s)

    def terminate(self, stage: str, *, force: bool) -> None:
        """Ask the job's container to end, or end it."""
        self._containers.terminate(stage, force=force)

    def close(self) -> None:
        """Remove every container of this run, and end the way to the device."""
        self._containers.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def _connect(self) -> Any:
        if self._tunnel is None:
            raise UserError(f"target={self._setting.target.name}: device", "this target names no device", "write device: ssh://user@host")
        return self._tunnel.connect()

    def _refuse_another_platform(self, client: Any) -> None:
        """An engine on Arm of 64 bits runs images of 32 bits too; nothing else that is foreign would give the device's figures."""
        found, aim = platform_of(client.info()["Architecture"]), self._setting.target.platform
        if found != aim and (aim, found) != ("linux/arm/v7", "linux/arm64"):
            raise UserError(self._where, f"the device is {found}, and the target {aim}", "choose the target that the device is")

    def _edgetpu(self, launch: Launch) -> str | None:
        """Return the bus of the target's Edge TPU for a job that asks for it: what the device lacks, its engine refuses."""
        return self._setting.target.bus if launch.job.spec.resources.accelerator else None
