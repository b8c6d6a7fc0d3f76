"""The executors of one request: the chosen one for the build machine, the device's where the target has one,
and processes for `host`.

`executor=NAME` is engine/executors/NAME.py; `executor=auto` chooses between containers and processes, and
says why.
"""

import importlib
import platform
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from engine import emulation, images, layout
from engine.catalogue import ROOT
from engine.compose import Request
from engine.errors import UserError, did_you_mean
from engine.images import Image
from engine.jobfolder import Ended, Launch
from engine.placement import Placement, Setting
from engine.plan import Planned
from engine.signature import Library, Signature
from engine.spec import StageSpec
from engine.store import write_whole
from engine.target import platform_of

_EXECUTORS = [path.stem for path in (ROOT / "engine" / "executors").glob("[a-z]*.py")]
REGISTRY, PROBE_S = "registry-1.docker.io", 2.0  # where the pinned Debian of containers/base/registry.txt is
BUILDERS = ("stages.containers.base", "stages.containers.build")  # what makes images: it goes into their tags


class Executors:
    """What the scheduler drives: each job goes to the executor of its `runs_on`."""

    def __init__(self, request: Request, no_containers: str = "") -> None:
        self._setting = setting(request)
        self._made: dict[str, Any] = {}
        self.name, self.why = self._chosen(request, no_containers)
        self.refusal = ""  # why containers, where they were chosen here, cannot run a stage
        self._working: dict[str, str] = {}  # stage -> executor

    def place(self, spec: StageSpec, signature: Signature | None) -> Placement:
        """Return where a stage runs.

        What no image serves is a mistake only where the user named the executor.
        """
        name = self._of(spec)
        try:
            placement: Placement = self._executor(name).place(spec, signature)
        except UserError as mistake:
            if not self.why or name != "docker":
                raise
            self.refusal = self.refusal or mistake.what
            return Placement("", False, "")
        return placement

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Let every executor that has something to do make ready for it.

        UserError where it could not do it.
        """
        for name, jobs in self._shared_out(planned).items():
            self._executor(name).prepare(jobs)

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Go on with what ended engines left running, as far as these jobs want it, and remove the rest."""
        for name, jobs in self._shared_out(planned).items():
            try:
                self._executor(name).reclaim(jobs, work)
            except UserError:
                if any(one.record is None for one in jobs):
                    raise  # else nothing is to run, and what was left waits

    def missing(self, planned: Iterable[Planned]) -> dict[str, list[str]]:
        """Return the images that these jobs need and their engines do not have, by executor."""
        in_images = (one for one in planned if one.job.place.image)
        return {
            name: self._executor(name).missing(jobs) for name, jobs in self._shared_out(in_images).items()
        }

    def images(self) -> Sequence[Image]:
        """Return all images that there are definitions of."""
        return self._setting.images()

    def load(self, name: str, reference: str, archive: Path) -> None:
        """Give an executor's engine an image."""
        self._executor(name).load(reference, archive)

    def launch(self, launch: Launch) -> None:
        """Start the job."""
        name = self._working[launch.job.stage] = self._of(launch.job.spec)
        self._executor(name).launch(launch)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout, which several executors share."""
        names = list(dict.fromkeys(self._working.values())) or [self.name]
        ended: list[Ended] = []
        for name in names:
            ended += self._executor(name).wait(0 if ended else timeout_s / len(names))
        for one in ended:
            del self._working[one.stage]
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """End the job's process tree."""
        if stage in self._working:
            self._executor(self._working[stage]).terminate(stage, force=force)

    def close(self) -> None:
        """End all that runs."""
        for executor in self._made.values():
            executor.close()
        self._made.clear()

    def _shared_out(self, planned: Iterable[Planned]) -> dict[str, list[Planned]]:
        shares: dict[str, list[Planned]] = {}
        for one in planned:
            shares.setdefault(self._of(one.job.spec), []).append(one)
        return shares

    def _of(self, spec: StageSpec) -> str:
        if spec.runs_on == "host":
            return "local"
        return "device" if spec.runs_on == "target" and self._setting.target.device else self.name

    def _chosen(self, request: Request, no_containers: str) -> tuple[str, str]:
        """Return the executor's name, and in a sentence why where it was not named."""
        name = request.settings.executor.name
        if name != "auto":
            if name not in _EXECUTORS:
                raise UserError(
                    f"executor.name={name}", "there is no such executor", did_you_mean(name, _EXECUTORS)
                )
            return name, ""
        reason = no_containers or self._why_no_containers()
        if reason:
            return "local", f"stages run as local processes: {reason}"
        return "docker", "stages run in containers: a Docker engine answers"

    def _why_no_containers(self) -> str:
        """Return what is against containers; empty where nothing is."""
        from engine.executors import _engine

        if not _engine.is_likely():
            return "no Docker engine is to be seen"
        try:
            self._executor("docker").reach()
        except UserError as error:
            return error.what
        aim = self._setting.target
        if aim.device is None and not emulation.is_native(aim.platform, platform_of(platform.machine())):
            seen = emulation.look(aim.platform)
            return "" if seen.is_registered else f"{seen.what} ({seen.fix})"
        return ""

    def _executor(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = importlib.import_module(f"engine.executors.{name}").Executor(self._setting)
        return self._made[name]


def setting(request: Request) -> Setting:
    """Return what every executor of the request is told."""
    options = request.settings.executor.model_dump()
    store = layout.store_dir(request.outputs)
    return Setting(
        request.target,
        tuple(request.roots),
        request.settings.stage_packages,
        _images(request),
        store,
        request.settings.ssh_config,
        options,
    )


def _images(request: Request) -> Callable[[], Sequence[Image]]:
    """Return what reads the images of containers/, the user's before the project's, when first asked."""

    @cache
    def read() -> tuple[Image, ...]:
        library = Library(("stages",), request.roots)
        base = base_of(request)
        sources = {
            module: digest
            for name in BUILDERS
            for module, digest in library.signature(name, name).sources.items()
        }
        found = {
            (one.name, one.platform): one
            for root in reversed(request.roots)
            for one in images.read(root / "containers", sources, base)
        }
        return tuple(found.values())

    return read


def base_of(request: Request) -> str:
    """Return how the images' Debian is had.

    `auto` is settled once for these outputs, since another base would make another image.
    """
    if request.settings.base != "auto":
        return request.settings.base
    settled = layout.store_dir(request.outputs) / "base"
    if not settled.is_file():
        layout.make_outputs(request.outputs)
        write_whole(settled, (b"registry" if _answers(REGISTRY) else b"bootstrap"))
    return settled.read_text(encoding="ascii")


def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, 443), timeout=PROBE_S):
            return True
    except OSError:
        return False
