"""Runs each job in a container of this machine's Docker engine, in the image that serves its platform.

Foreign platforms run through QEMU, and their figures say so.
"""

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine import coral, emulation
from engine.errors import UserError
from engine.executors import _engine, _images, _known
from engine.executors._binds import Binds
from engine.executors._containers import Containers
from engine.jobfolder import Ended, Launch
from engine.placement import EMULATED, Placement, Setting
from engine.plan import Planned
from engine.signature import Signature
from engine.spec import StageSpec
from engine.target import platform_of


class Executor:
    """Containers of this machine."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._here = platform_of(platform.machine())
        self._containers = Containers(setting, self._connect, Binds(setting), self._edgetpu)

    def place(self, spec: StageSpec, signature: Signature | None) -> Placement:
        """Return where the stage runs: in which image, and under which label its figures stand."""
        aim = self._setting.target
        wanted = aim.platform if spec.runs_on == "target" else self._here
        image = _images.choose(self._setting, wanted, spec, signature, self._connect)
        emulated = not emulation.is_native(wanted, self._here)
        taken = EMULATED if emulated else platform.machine()
        depends_on = {"image": image.reference}
        if spec.resources.accelerator and aim.accelerator == "edgetpu" and not emulated:
            depends_on["edgetpu"] = coral.seen()
        return Placement(wanted, emulated, taken, depends_on, image.reference)

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Refuse what the engine could not run."""
        jobs = list(planned)
        for wanted in sorted({one.job.place.platform for one in jobs if one.job.place.emulated}):
            seen = emulation.look(wanted)
            if not seen.is_registered:
                raise UserError(f"target={self._setting.target.name}", seen.what, seen.fix)
        _images.check(self._connect(), self._setting.store, jobs)

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Take over or remove what ended engines left."""
        self._containers.reclaim(planned, work)

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the images of these jobs that the engine does not have."""
        return _images.missing(self._connect(), planned)

    def load(self, reference: str, archive: Path) -> None:
        """Give the engine an image."""
        _known.load(self._setting.store, self._connect(), reference, archive)

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
        """Remove every container of this run."""
        self._containers.close()

    def _connect(self) -> Any:
        url = _engine.address()
        if url.startswith("ssh://"):
            raise UserError(url, "an engine on another machine does not see this machine's folders",
                            "name it as the target's device: target.device=ssh://user@host; or executor=local")  # fmt: skip
        return _engine.connect(url)

    def _edgetpu(self, launch: Launch) -> str | None:
        """Return the bus of the Edge TPU that the job asks for and this machine has."""
        bus = self._setting.target.bus
        if not launch.job.spec.resources.accelerator or launch.job.place.emulated:
            return None
        return next((found.bus for found in coral.find() if found.bus == bus and found.is_usable), None)
