"""Routes each job to its executor: the chosen one, the device's for target stages, or local
processes.

`executor=NAME` is engine/executors/NAME.py. An executor's YAML, such as `auto`, may list candidates
instead: the first one that can run every stage is used.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from engine import catalogue, extensions, image_catalogue, layout
from engine.containers.options import Limits
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError, did_you_mean, raise_all
from engine.gpus import Pool
from engine.images import Image
from engine.interfaces import Executor
from engine.jobfolder import Ended, Launch
from engine.placement import DOCKER_EXECUTOR, Placement, executor_of
from engine.plan import Planned
from engine.request import Request
from engine.spec import StageSpec

_EXECUTORS = extensions.names("executors")
Stages = Sequence[tuple[StageSpec, Contract]]
NOTHING: Mapping[str, str] = {}


class Dispatcher:
    """The executors of one request, each created when it is first needed. It is itself an Executor."""

    why_chosen = ""
    pushes_images = False

    def __init__(self, context: ExecutorContext, name: str, candidates: Sequence[str] = ()) -> None:
        self.context = context
        self.candidates = tuple(candidates)
        self.name = candidates[0] if candidates else name
        self._made: dict[str, Executor] = {}
        self._kept_here: frozenset[str] = frozenset()
        self._working: dict[str, str] = {}  # stage -> executor
        self._gpus = Pool()
        for known in candidates or [name]:
            if known not in _EXECUTORS:
                what = f"executor.name={known}"
                raise UserError(what, "there is no such executor", did_you_mean(known, _EXECUTORS))

    def choose(self, stages: Stages, refused: Mapping[str, str]) -> str:
        """Choose the first candidate that can run all these stages, and return the reason as a sentence.

        refused: candidates that are excluded, each with the reason. Without candidates, nothing is
        chosen.
        """
        why = ""
        for name in self.candidates:
            self.name = name
            objection = refused.get(name) or self._objection_to(name, stages)
            if not objection:
                return why or self._executor(name).why_chosen
            why = f"{objection}; running stages as local processes"
        return why

    def unavailable(self) -> str:
        """Return why the chosen executor cannot run anything here; empty if it can."""
        return self._executor(self.name).unavailable()

    def keep_here(self, stages: frozenset[str]) -> None:
        """Let these stages run on this machine's Docker engine or on the device, not on the cluster.

        Their images, and hence their fingerprints, are the same there.
        """
        self._kept_here = stages

    def place(self, spec: StageSpec, contract: Contract) -> Placement:
        """Return where a stage runs; raise UserError if it cannot run anywhere."""
        return self._executor(self._of(spec)).place(spec, contract)

    def prepare(self, planned: Iterable[Planned]) -> None:
        """Let each executor prepare for its jobs, if it has any."""
        for name, jobs in self._shared_out(planned).items():
            self._executor(name).prepare(jobs)

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Take over what ended engines left running and these jobs need, and remove the rest."""
        for name, jobs in self._shared_out(planned).items():
            try:
                self._executor(name).reclaim(jobs, work)
            except UserError:
                if any(one.record is None for one in jobs):
                    raise  # otherwise nothing runs, and the leftovers can wait

    def missing(self, planned: Iterable[Planned]) -> list[str]:
        """Return the full names of the images that these jobs need and that do not exist yet."""
        return sorted(
            {image for images in self.missing_by_executor(planned).values() for image in images}
        )

    def missing_by_executor(self, planned: Iterable[Planned]) -> dict[str, list[str]]:
        """Return the same for each executor, as each needs its own images."""
        in_images = (one for one in planned if one.job.placement.image)
        return {
            name: self._executor(name).missing(jobs)
            for name, jobs in self._shared_out(in_images).items()
        }

    @cached_property
    def images(self) -> Sequence[Image]:
        """Return all images that are defined."""
        return self.context.images()

    def load(self, full_name: str, archive: Path) -> None:
        """Load an image into the chosen executor."""
        self._executor(self.name).load(full_name, archive)

    def load_into(self, name: str, full_name: str, archive: Path) -> None:
        """Load an image into the named executor."""
        self._executor(name).load(full_name, archive)

    def pushes(self, name: str) -> bool:
        """Return whether the named executor needs images in a registry, with code in them."""
        return self._executor(name).pushes_images

    def launch(self, launch: Launch) -> None:
        """Start the job."""
        stage, spec = launch.job.stage, launch.job.spec
        name = self._working[stage] = self._of(spec, stage)
        given = self._gpus.take(stage, spec.resources.gpu)
        self._executor(name).launch(replace(launch, gpus=given) if given else launch)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; wait for one up to the timeout, which all executors share."""
        names = list(dict.fromkeys(self._working.values())) or [self.name]
        ended: list[Ended] = []
        for name in names:
            ended += self._executor(name).wait(0 if ended else timeout_s / len(names))
        for one in ended:
            del self._working[one.stage]
            self._gpus.give_back(one.stage)
        return ended

    def terminate(self, stage: str, *, force: bool) -> None:
        """End the job's process tree."""
        if stage in self._working:
            self._executor(self._working[stage]).terminate(stage, force=force)

    def close(self) -> None:
        """End all running jobs."""
        for executor in self._made.values():
            executor.close()
        self._made.clear()

    def _objection_to(self, name: str, stages: Stages) -> str:
        """Return the objection to a candidate; empty if it can run every stage that it would be given."""
        if reason := self._executor(name).unavailable():
            return reason
        for spec, contract in stages:
            if self._of(spec) == name:
                try:
                    self._executor(name).place(spec, contract)
                except UserError as mistake:
                    return mistake.what
        return ""

    def _shared_out(self, planned: Iterable[Planned]) -> dict[str, list[Planned]]:
        shares: dict[str, list[Planned]] = {}
        for one in planned:
            shares.setdefault(self._of(one.job.spec, one.job.stage), []).append(one)
        return shares

    def _of(self, spec: StageSpec, stage: str = "") -> str:
        chosen = DOCKER_EXECUTOR if stage in self._kept_here else self.name
        return executor_of(spec.runs_on, self.context.target, chosen)

    def _executor(self, name: str) -> Executor:
        if name not in self._made:
            make: Callable[[ExecutorContext], Executor] = extensions.module(
                "executors", name
            ).Executor
            self._made[name] = make(self.context)
        return self._made[name]


def executor_context(request: Request, without: Mapping[str, str] = NOTHING) -> ExecutorContext:
    """Return the arguments of the request's executors; raise UserError for an unknown option.

    without: environments that cannot be provided, each with the reason.
    """
    _refuse_unknown(request)
    return ExecutorContext(
        request.target,
        request.roots,
        request.settings.stage_packages,
        image_catalogue.of(request),
        layout.store_dir(request.outputs),
        request.settings.ssh_config,
        request.settings.executor.model_dump(),
        request.settings.kubeflow,
        without,
    )


def _refuse_unknown(request: Request) -> None:
    """Raise UserError for options that neither containers nor the executor's own YAML has."""
    given = request.settings.executor.model_extra or {}
    unknown = given.keys() - Limits.model_fields.keys()
    if not unknown:
        return
    name = request.settings.executor.name
    from engine import yamlfile  # slow to import, and not needed for a cached request

    files = map(yamlfile.load, catalogue.of_group("executor", request.config_dirs).values())
    declared = {key for file in files if file.get("name") == name for key in file}
    known = sorted(declared | Limits.model_fields.keys())
    what = "there is no such option"
    raise_all(
        [
            UserError(f"executor.{key}", what, did_you_mean(key, known))
            for key in sorted(unknown - declared)
        ]
    )
