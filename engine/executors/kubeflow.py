"""Places the stages of a plan in the pods of a Kubeflow Pipelines cluster. The driver of the same name
submits the plan whole.

A stage gets the same image, and hence the same fingerprint, as on this machine's Docker engine.
"""

import platform
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from engine import gpus
from engine.containers import daemon, selection
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError
from engine.images import Image
from engine.jobfolder import Ended, Launch
from engine.kubeflow import checks
from engine.kubeflow.images import Pushed
from engine.placement import ARM64_NODE, EMULATED, Placement
from engine.plan import Planned
from engine.spec import StageSpec
from engine.target import platform_of

CHECK_FOR_S = 10.0  # how long a server that does not answer is tried before a run
_ARM = ("linux/arm64", "linux/arm/v7")  # the platforms that an arm64 node runs


class Executor:
    """The pods of a cluster."""

    why_chosen = "running stages on a Kubeflow Pipelines cluster"
    pushes_images = True  # `load` gets the report of a push, not an archive

    def __init__(self, context: ExecutorContext) -> None:
        self._context, self._target = context, context.target
        self._settings = context.kubeflow
        self._build_platform = platform_of(platform.machine())

    def unavailable(self) -> str:
        """Return an empty string: whether the cluster answers is found out when the plan is submitted."""
        return ""

    def place(self, spec: StageSpec, contract: Contract) -> Placement:
        """Return which image a stage runs in, on which platform, and how its figures are labelled."""
        if spec.runs_on == "host":
            what = "this stage is a process of this machine, and the cluster cannot run it"
            raise UserError("runs_on", what, "remove runs_on, or write executor=auto")
        if contract.only_local:
            fix = "write executor=auto, and the stage is a process of this machine"
            raise UserError("runs_on", contract.only_local, fix)
        for mistake in checks.of_stage(spec, contract, self._settings):
            raise mistake
        image = self._image(spec, contract)
        emulated = not self._is_native(image.platform)
        depends_on = {"image": image.identity, **self._gpus(spec)}
        if spec.resources.accelerator and not emulated:
            depends_on |= self._accelerator()
        return Placement(
            image.platform,
            emulated,
            self._measured_on(image.platform),
            depends_on,
            image.full_name,
            note=selection.lacking(self._context, self._wanted(spec), spec),
        )

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the images of these jobs that the registry does not have."""
        return self._pushed.missing(str(one.job.placement.image) for one in planned)

    def load(self, full_name: str, archive: Path) -> None:
        """Record an image that was pushed; archive: the report of the push."""
        self._pushed.record(full_name, archive)

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Raise UserError if the cluster's API or the data root does not answer, or refuses access."""
        if not [*planned] or self._settings.host is None:
            return
        from engine.kubeflow.client import Client
        from engine.kubeflow.data import DataRoot

        Client.of(self._settings, retry_for_s=CHECK_FOR_S).check()
        root = str(self._settings.data_root)
        DataRoot(root, lambda *_: None, self._settings.timeout_s).glob("by-digest")

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Do nothing: pods belong to a submitted run, which the driver finds again."""

    def launch(self, launch: Launch) -> None:
        """Start the job."""
        raise NotImplementedError

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout."""
        return []

    def terminate(self, stage: str, *, force: bool) -> None:
        """End the job."""

    def close(self) -> None:
        """Do nothing: nothing runs on this machine."""

    @cached_property
    def _pushed(self) -> Pushed:
        from engine.kubeflow import sources  # fsspec, which planning does not need

        return sources.pushed(self._context)

    def _image(self, spec: StageSpec, contract: Contract) -> Image:
        image = selection.choose(self._context, self._wanted(spec), spec, contract, _reach)
        if image.foreign:
            what = f"it runs in {image.foreign}, which is not an image of containers/"
            fix = "write executor=docker; or describe the image in containers/"
            raise UserError("image", what, fix)
        return image

    def _wanted(self, spec: StageSpec) -> str:
        """Return the platform that the stage runs on."""
        return self._target.platform if spec.runs_on == "target" else self._build_platform

    def _is_native(self, wanted: str) -> bool:
        """Return whether the cluster has a node for the platform."""
        return wanted == "linux/amd64" or (wanted in _ARM and self._settings.arm64_nodes)

    def _measured_on(self, wanted: str) -> str:
        if not self._is_native(wanted):
            return EMULATED
        return ARM64_NODE if wanted in _ARM else "x86_64"

    def _gpus(self, spec: StageSpec) -> dict[str, str]:
        """Return the part of the fingerprint of a stage that asks for GPUs.

        Raise UserError if it would not get them.
        """
        wanted, label = spec.resources.gpu, self._settings.gpu_label
        if not wanted:
            return {}
        if spec.runs_on == "target":
            fix = "remove gpu, or let the stage run on the build platform: runs_on: build"
            raise UserError("resources.gpu", "a stage of the target cannot use a GPU", fix)
        if label is None:
            what = "kubeflow.gpu_label does not name the nodes that have GPUs"
            fix = "set kubeflow.gpu_label=nvidia.com/gpu.present=true, or remove gpu"
            raise UserError("resources.gpu", what, fix)
        if spec.image is None:
            what = "the images of this project contain TensorFlow for the CPU only"
            fix = "name an image of your own with CUDA and the stage's packages; or remove gpu"
            raise UserError("image", what, fix)
        return gpus.counted(wanted, label)

    def _accelerator(self) -> dict[str, str]:
        label = self._settings.accelerator_label
        return {self._target.accelerator: f"nodes {label}"} if label else {}


def _reach() -> Any:
    """Return a client of this machine's engine, which may have images that are optional."""
    if not daemon.is_likely():
        raise UserError(daemon.address(), "no Docker engine found", "start Docker")
    return daemon.connect_here()
