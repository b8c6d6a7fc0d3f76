"""Runs each job in a container of this machine's Docker engine, in the image for its platform.

Foreign platforms run through QEMU, and their figures say so.
"""

import platform
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine import accelerator, emulation
from engine.accelerator import NO_ACCESS, Access
from engine.containers import answers, daemon
from engine.containers.binds import Binds, hidden_source
from engine.containers.jobs import Containers
from engine.context import ExecutorContext
from engine.errors import UserError
from engine.images import Image
from engine.jobfolder import Launch
from engine.placement import EMULATED, Placement
from engine.plan import Planned
from engine.spec import StageSpec
from engine.target import platform_of
from engine.vocabulary import FailureKind


class Here:
    """This machine, and its engine."""

    lost: FailureKind = "daemon_lost"

    def __init__(self, context: ExecutorContext) -> None:
        self._context, self._target, self._platform = (
            context,
            context.target,
            platform_of(platform.machine()),
        )
        self.files = Binds(context)

    @property
    def where(self) -> str:
        """Return the engine's address."""
        return daemon.address()

    def connect(self) -> Any:
        """Return a client of the engine.

        Raise UserError with the reason if there is none, or if the engine runs on another machine.
        """
        url = daemon.address()
        if url.startswith("ssh://"):
            raise UserError(
                url,
                "an engine on another machine cannot see this machine's folders",
                "set it as the target's device: target.device=ssh://user@host; or executor=local",
            )
        return daemon.connect_here()

    def unavailable(self, reach: Callable[[], Any]) -> str:
        """Return why this machine's engine cannot run the target's stages; empty if it can."""
        if not daemon.is_likely():
            return "no Docker engine found"
        try:
            reach()
        except UserError as error:
            return error.what
        if self._target.device or emulation.is_native(self._target.platform, self._platform):
            return ""
        seen = emulation.look(self._target.platform)
        return "" if seen.is_registered else f"{seen.what} ({seen.fix})"

    def platform(self, spec: StageSpec) -> str:
        """Return the target's platform for its stages, otherwise this machine's."""
        return self._target.platform if spec.runs_on == "target" else self._platform

    def place(self, spec: StageSpec, image: Image) -> Placement:
        """Return where the stage runs: on this processor or under QEMU."""
        emulated = not emulation.is_native(image.platform, self._platform)
        depends_on = {"image": image.identity}
        if spec.resources.accelerator and not emulated:
            depends_on |= accelerator.counted(self._target.accelerator)
        return Placement(
            image.platform,
            emulated,
            EMULATED if emulated else platform.machine(),
            depends_on,
            image.full_name,
        )

    def refuse(self, client: Any, jobs: Sequence[Planned]) -> None:
        """Raise UserError for an engine whose users are not this machine's, for sources that they cannot
        read, and for a foreign platform without a handler.
        """
        if daemon.is_rootless(answers.info(client).SecurityOptions or ()):
            raise UserError(
                daemon.address(),
                "a rootless Docker engine runs stages as another user, who cannot write here",
                f"{daemon.ROOTFUL}; or executor=local",
            )
        if hidden := hidden_source(self._context):
            raise UserError(
                str(hidden),
                "root's stages run as an unprivileged user in their containers, and that user "
                "cannot read it",
                f"chmod -R go+rX {hidden.parent}; or executor=local",
            )
        for wanted in sorted(
            {one.job.placement.platform for one in jobs if one.job.placement.emulated}
        ):
            seen = emulation.look(wanted)
            if not seen.is_registered:
                raise UserError(f"target={self._target.name}", seen.what, seen.fix)

    def access(self, launch: Launch) -> Access:
        """Return access to the accelerator that the job asks for, if this machine has one."""
        if not launch.job.spec.resources.accelerator or launch.job.placement.emulated:
            return NO_ACCESS
        return accelerator.access_here(self._target.accelerator, self._target.bus)

    def close(self) -> None:
        """Do nothing: there is no connection to close."""


Executor = partial(Containers, Here)
