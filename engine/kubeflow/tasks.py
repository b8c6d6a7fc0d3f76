"""The tasks of a pipeline: what each reads, and what it waits for. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.graph import Reference
from engine.kubeflow import components, keys, types
from engine.kubeflow.components import Given, Input, Step
from engine.kubeflow.names import Names
from engine.plan import Job, Plan
from engine.settings import Kubeflow

RESULTS = "results"  # below data_root, if it is a folder: copies of the outputs by cache key
IMPORTED = "artifact"  # the output of KFP's importer
_BACKOFF = {"backoffFactor": 2.0, "backoffMaxDuration": "3600s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a plan needs on the cluster, and where it is."""

    image: Callable[[str], str]  # the full name of an image -> its reference, with a digest
    # `asset:KEY`, and `STAGE.OUTPUT` of stages that do not run -> URI, or path on the volume
    uris: Mapping[str, str] = field(default_factory=dict)
    # `asset:KEY` that is a single file -> its name
    file_names: Mapping[str, str] = field(default_factory=dict)
    projects: Mapping[str, str] = field(default_factory=dict)  # stage -> its own files, likewise


@dataclass(frozen=True, slots=True)
class TaskMaker:
    """Makes the tasks of one pipeline."""

    plan: Plan
    settings: Kubeflow
    sources: Sources
    stages: tuple[str, ...]  # that run on the cluster
    uncached: frozenset[str]  # stages that must run again, and all that follow them
    keys: Mapping[str, str]
    names: Names

    @property
    def is_mounted(self) -> bool:
        """Return whether pods see the data root as a folder."""
        return is_folder(self.settings)

    def step(self, stage: str) -> Step:
        """Return the stage with everything that its component needs."""
        job = self._job(stage)
        reads = [one for name, ref in job.inputs.items() if ref for one in self._read(name, ref)]
        inputs = [one for one in reads if isinstance(one, Input)]
        project = self.sources.projects.get(stage)
        if project and not self.is_mounted:
            task = self.names.imports[f"project:{stage}"]
            words = ("--project",)
            inputs.append(Input(components.PROJECT, task, IMPORTED, "system.Artifact", words))
        return Step(
            job=job,
            key=self.keys[stage],
            image=self.sources.image(str(job.placement.image)),
            inputs=tuple(inputs),
            given=tuple(one for one in reads if isinstance(one, Given)),
            project=project if self.is_mounted else None,
            file_names=self._file_names(job),
            keep=f"{self.settings.data_root}/{RESULTS}/{self.keys[stage]}"
            if self.is_mounted
            else None,
        )

    def task(self, step: Step) -> dict[str, Any]:
        """Return the task of a stage."""
        stage, spec = step.job.stage, step.job.spec
        gates = [self.names.gates[one] for one in step.job.needs if one in self.names.gates]
        before = sorted({*(one.producer for one in step.inputs), *gates})
        return {
            "cachingOptions": {"cacheKey": step.key, "enableCache": stage not in self.uncached},
            "componentRef": {"name": f"comp-{self.names.stages[stage]}"},
            **({"dependentTasks": before} if before else {}),
            **({"inputs": _inputs(step)} if step.inputs else {}),
            **({"retryPolicy": _retries(spec.retries, spec.retry_delay)} if spec.retries else {}),
            "taskInfo": {"name": stage},
        }

    def gate(self, step: Step) -> dict[str, Any]:
        """Return the task that checks the stage's gates."""
        stage, task = step.job.stage, self.names.stages[step.job.stage]
        key = keys.of_gates(step.key, step.job.spec.require)
        report = {"taskOutputArtifact": {"outputArtifactKey": step.report, "producerTask": task}}
        return {
            "cachingOptions": {"cacheKey": key, "enableCache": stage not in self.uncached},
            "componentRef": {"name": f"comp-{self.names.gates[stage]}"},
            "dependentTasks": [task],
            "inputs": {"artifacts": {"report": report}},
            "taskInfo": {"name": f"{stage} gate"},
        }

    def type_of(self, ref: Reference) -> str:
        """Return the type of an imported artifact."""
        if ref.stage is not None:
            return components.output_type(self._job(ref.stage), ref.name)
        path = self.plan.assets[ref.name].path
        return types.of_output(ref.name, path.suffix)

    def _job(self, stage: str) -> Job:
        return self.plan.jobs[stage].job

    def _read(self, name: str, ref: Reference) -> Iterator[Input | Given]:
        """Yield what a task reads for one input of its stage."""
        members = {value: Reference(stage, ref.name) for value, stage in ref.members.items()}
        for at, (value, one) in enumerate((members if ref.each else {"": ref}).items()):
            words = ("--entry", name, value) if ref.each else ("--input", name)
            key = f"{name}-{at}" if ref.each else name
            if one.stage in self.names.stages:
                kind = components.output_type(self._job(str(one.stage)), one.name)
                task = self.names.stages[str(one.stage)]
                yield Input(key, task, one.name, kind, words)
            elif self.is_mounted:
                yield Given(name, value, self.sources.uris[str(one)])
            else:
                task = self.names.imports[str(one)]
                yield Input(key, task, IMPORTED, self.type_of(one), words)

    def _file_names(self, job: Job) -> dict[str, str]:
        """Return the names of inputs that are a user's file, whose suffix a stage may need."""
        known = self.sources.file_names
        return {name: known[str(ref)] for name, ref in job.inputs.items() if str(ref) in known}


def is_folder(settings: Kubeflow) -> bool:
    """Return whether the data root is a folder, which pods see on a volume."""
    return "://" not in str(settings.data_root)


def _inputs(step: Step) -> dict[str, Any]:
    return {
        "artifacts": {
            one.key: {
                "taskOutputArtifact": {
                    "outputArtifactKey": one.output,
                    "producerTask": one.producer,
                }
            }
            for one in step.inputs
        }
    }


def _retries(count: int, delay_s: float) -> dict[str, Any]:
    """Return the policy; kfp knows only whole seconds."""
    return {"backoffDuration": f"{math.ceil(delay_s)}s", **_BACKOFF, "maxRetryCount": count}
