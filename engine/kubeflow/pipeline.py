"""Compiles a plan to the IR of Kubeflow Pipelines 2: one task per stage, one per gate, one per import.

The IR is written directly: the SDK writes names in lower case, and takes ten times as long for 1,000
stages (benchmarks/kubeflow.py). The tests compare it with what the SDK compiles. Pure.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import graph
from engine.graph import Reference
from engine.kubeflow import components, keys, names, pods, types
from engine.kubeflow.components import Given, Input, Step
from engine.kubeflow.names import Names
from engine.plan import Job, Plan
from engine.settings import Kubeflow

SCHEMA_VERSION = "2.1.0"
SDK_VERSION = "kfp-2.16.1"  # whose IR this is
ROOT = "pipelines"  # below data_root
RESULTS = "results"  # below data_root, if it is a folder: copies of the outputs by cache key
_BACKOFF = {"backoffFactor": 2.0, "backoffMaxDuration": "3600s"}
_IMPORTED = "artifact"  # the output of KFP's importer
Tasks = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a plan needs on the cluster, and where it is."""

    image: Callable[[str], str]  # the full name of an image -> its reference, with a digest
    # `asset:KEY`, and `STAGE.OUTPUT` of stages that do not run -> URI, or path on the volume
    uris: Mapping[str, str] = field(default_factory=dict)
    projects: Mapping[str, str] = field(default_factory=dict)  # stage -> its own files, likewise


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A compiled plan."""

    name: str
    spec: Mapping[str, Any]  # PipelineSpec
    platforms: Mapping[str, Any]  # PlatformSpec; empty if no task needs one
    names: Names
    keys: Mapping[str, str]  # stage -> cache key


@dataclass(frozen=True, slots=True)
class _Compiler:
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

    def component_of(self, stage: str) -> Step:
        """Return the stage with everything that its component needs."""
        job = self._job(stage)
        reads = [one for name, ref in job.inputs.items() if ref for one in self._read(name, ref)]
        inputs = [one for one in reads if isinstance(one, Input)]
        project = self.sources.projects.get(stage)
        if project and not self.is_mounted:
            task = self.names.imports[f"project:{stage}"]
            words = ("--project",)
            inputs.append(Input(components.PROJECT, task, _IMPORTED, "system.Artifact", words))
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
                yield Input(key, task, _IMPORTED, self.type_of(one), words)

    def type_of(self, ref: Reference) -> str:
        """Return the type of an imported artifact."""
        if ref.stage is not None:
            return components.output_type(self._job(ref.stage), ref.name)
        path = self.plan.assets[ref.name].path
        return types.of_output(ref.name, path.suffix)

    def _file_names(self, job: Job) -> dict[str, str]:
        """Return the names of inputs that are a user's file, whose suffix a stage may need."""
        found = {}
        for name, ref in job.inputs.items():
            if ref and ref.stage is None and self.plan.assets[ref.name].digest[:5] == "file:":
                found[name] = self.plan.assets[ref.name].path.name
        return found


def compiled(
    plan: Plan, settings: Kubeflow, sources: Sources, stages: Collection[str] | None = None
) -> Pipeline:
    """Return the pipeline of these stages of the plan; None: all.

    The outputs of other stages, and assets, come from `sources`.
    """
    chosen = tuple(name for name in plan.jobs if stages is None or name in stages)
    compiler = _compiler(plan, settings, sources, chosen)
    steps = [compiler.component_of(stage) for stage in chosen]
    tasks: Tasks = {}
    found: dict[str, Any] = {"components": {}, "executors": {}, "pods": {}}
    for step in steps:
        _add_stage(compiler, step, tasks, found)
    for key in compiler.names.imports:
        _add_import(compiler, key, tasks, found)
    name = names.of_pipeline(plan.usecase, plan.target.name)
    spec = {
        "components": found["components"],
        "deploymentSpec": {"executors": found["executors"]},
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": tasks}},
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": SDK_VERSION,
    }
    if not compiler.is_mounted:
        spec["defaultPipelineRoot"] = f"{settings.data_root}/{ROOT}"
    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": found["pods"]}}}}
    return Pipeline(name, spec, platforms, compiler.names, compiler.keys)


def is_folder(settings: Kubeflow) -> bool:
    """Return whether the data root is a folder, which pods see on a volume."""
    return "://" not in str(settings.data_root)


def needed(plan: Plan, stages: Collection[str]) -> set[str]:
    """Return what must be on the cluster before these stages run: `asset:KEY` and `STAGE.OUTPUT`."""
    found = set()
    for stage in stages:
        for ref in filter(None, plan.jobs[stage].job.inputs.values()):
            if ref.stage is None:
                found.add(str(ref))
            found |= {f"{one}.{ref.name}" for one in ref.stages if one not in stages}
    return found


def _compiler(
    plan: Plan, settings: Kubeflow, sources: Sources, chosen: tuple[str, ...]
) -> _Compiler:
    gated = [name for name in chosen if plan.jobs[name].job.spec.require]
    imported = [
        *sorted(needed(plan, chosen)),
        *(f"project:{one}" for one in sources.projects if one in chosen),
    ]
    after = {one for name in plan.forced for one in graph.descendants(plan.graph, name)}
    return _Compiler(
        plan,
        settings,
        sources,
        chosen,
        plan.forced | after,
        keys.of_stages(plan),
        names.of_tasks(chosen, gated, [] if is_folder(settings) else imported),
    )


def _add_stage(compiler: _Compiler, step: Step, tasks: Tasks, found: dict[str, Any]) -> None:
    """Add the tasks of a stage and of its gates."""
    stage = step.job.stage
    task = compiler.names.stages[stage]
    pod = pods.kubernetes(step.job, compiler.plan.target, compiler.settings)
    resources = pods.resources(step.job)
    container = components.container(step)
    tasks[task] = compiler.task(step)
    found["components"][f"comp-{task}"] = {
        "executorLabel": f"exec-{task}",
        **components.interface(step),
    }
    found["executors"][f"exec-{task}"] = {
        "container": container | ({"resources": resources} if resources else {})
    }
    found["pods"][f"exec-{task}"] = pod
    if gate := compiler.names.gates.get(stage):
        tasks[gate] = compiler.gate(step)
        report = {"report": {"artifactType": types.schema("system.Artifact")}}
        found["components"][f"comp-{gate}"] = {
            "executorLabel": f"exec-{gate}",
            "inputDefinitions": {"artifacts": report},
        }
        found["executors"][f"exec-{gate}"] = {"container": components.gate(step)}
        found["pods"][f"exec-{gate}"] = {"nodeSelector": pod["nodeSelector"]}


def _add_import(compiler: _Compiler, key: str, tasks: Tasks, found: dict[str, Any]) -> None:
    """Add the task that imports an artifact from the data root."""
    task = compiler.names.imports[key]
    kind, _, stage = key.partition(":")
    if kind == "project":
        uri, title = compiler.sources.projects[stage], "system.Artifact"
    else:
        ref = graph.reference(key)
        assert ref is not None
        uri, title = compiler.sources.uris[key], compiler.type_of(ref)
    constant = {"runtimeValue": {"constant": uri}}
    tasks[task] = {
        "cachingOptions": {"enableCache": True},
        "componentRef": {"name": f"comp-{task}"},
        "inputs": {"parameters": {"uri": constant}},
        "taskInfo": {"name": key},
    }
    found["components"][f"comp-{task}"] = {
        "executorLabel": f"exec-{task}",
        "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {_IMPORTED: {"artifactType": types.schema(title)}}},
    }
    found["executors"][f"exec-{task}"] = {
        "importer": {"artifactUri": {"constant": uri}, "typeSchema": types.schema(title)}
    }


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
