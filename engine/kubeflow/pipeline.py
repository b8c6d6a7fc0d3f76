"""Compiles a plan to the IR of Kubeflow Pipelines 2: one task per stage, one per gate, one per import.

The IR is written directly: the SDK writes names in lower case, and takes ten times as long for 1,000
stages (benchmarks/kubeflow.py). The tests compare it with what the SDK compiles. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from engine import graph
from engine.kubeflow import components, keys, names, pods, types
from engine.kubeflow.components import Step
from engine.kubeflow.names import Names
from engine.kubeflow.tasks import IMPORTED, Sources, TaskMaker, is_folder
from engine.plan import Plan
from engine.settings import Kubeflow

SCHEMA_VERSION = "2.1.0"
SDK_VERSION = "kfp-2.16.1"  # whose IR this is
ROOT = "pipelines"  # below data_root
Tasks = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A compiled plan."""

    name: str
    spec: Mapping[str, Any]  # PipelineSpec
    platforms: Mapping[str, Any]  # PlatformSpec; empty if no task needs one
    names: Names
    keys: Mapping[str, str]  # stage -> cache key


def compiled(
    plan: Plan, settings: Kubeflow, sources: Sources, stages: Collection[str] | None = None
) -> Pipeline:
    """Return the pipeline of these stages of the plan; None: all.

    The outputs of other stages, and assets, come from `sources`.
    """
    chosen = tuple(name for name in plan.jobs if stages is None or name in stages)
    maker = _maker(plan, settings, sources, chosen)
    steps = [maker.step(stage) for stage in chosen]
    tasks: Tasks = {}
    found: dict[str, Any] = {"components": {}, "executors": {}, "pods": {}}
    for step in steps:
        _add_stage(maker, step, tasks, found)
    for key in maker.names.imports:
        _add_import(maker, key, tasks, found)
    name = names.of_pipeline(plan.usecase, plan.target.name)
    spec = {
        "components": found["components"],
        "deploymentSpec": {"executors": found["executors"]},
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": tasks}},
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": SDK_VERSION,
    }
    if not maker.is_mounted:
        spec["defaultPipelineRoot"] = f"{settings.data_root}/{ROOT}"
    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": found["pods"]}}}}
    return Pipeline(name, spec, platforms, maker.names, maker.keys)


def needed(plan: Plan, stages: Collection[str]) -> set[str]:
    """Return what must be on the cluster before these stages run: `asset:KEY` and `STAGE.OUTPUT`."""
    found = set()
    for stage in stages:
        for ref in filter(None, plan.jobs[stage].job.inputs.values()):
            if ref.stage is None:
                found.add(str(ref))
            found |= {f"{one}.{ref.name}" for one in ref.stages if one not in stages}
    return found


def _maker(plan: Plan, settings: Kubeflow, sources: Sources, chosen: tuple[str, ...]) -> TaskMaker:
    gated = [name for name in chosen if plan.jobs[name].job.spec.require]
    imported = [
        *sorted(needed(plan, chosen)),
        *(f"project:{one}" for one in sources.projects if one in chosen),
    ]
    after = {one for name in plan.forced for one in graph.descendants(plan.graph, name)}
    return TaskMaker(
        plan,
        settings,
        sources,
        chosen,
        plan.forced | after,
        keys.of_stages(plan),
        names.of_tasks(chosen, gated, [] if is_folder(settings) else imported),
    )


def _add_stage(maker: TaskMaker, step: Step, tasks: Tasks, found: dict[str, Any]) -> None:
    """Add the tasks of a stage and of its gates."""
    stage = step.job.stage
    task = maker.names.stages[stage]
    pod = pods.kubernetes(step.job, maker.plan.target, maker.settings)
    resources = pods.resources(step.job)
    container = components.container(step)
    tasks[task] = maker.task(step)
    found["components"][f"comp-{task}"] = {
        "executorLabel": f"exec-{task}",
        **components.interface(step),
    }
    found["executors"][f"exec-{task}"] = {
        "container": container | ({"resources": resources} if resources else {})
    }
    found["pods"][f"exec-{task}"] = pod
    if gate := maker.names.gates.get(stage):
        tasks[gate] = maker.gate(step)
        report = {"report": {"artifactType": types.schema("system.Artifact")}}
        found["components"][f"comp-{gate}"] = {
            "executorLabel": f"exec-{gate}",
            "inputDefinitions": {"artifacts": report},
        }
        found["executors"][f"exec-{gate}"] = {"container": components.gate(step)}
        found["pods"][f"exec-{gate}"] = {"nodeSelector": pod["nodeSelector"]}


def _add_import(maker: TaskMaker, key: str, tasks: Tasks, found: dict[str, Any]) -> None:
    """Add the task that imports an artifact from the data root."""
    task = maker.names.imports[key]
    kind, _, stage = key.partition(":")
    if kind == "project":
        uri, title = maker.sources.projects[stage], "system.Artifact"
    else:
        ref = graph.reference(key)
        assert ref is not None
        uri, title = maker.sources.uris[key], maker.type_of(ref)
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
        "outputDefinitions": {"artifacts": {IMPORTED: {"artifactType": types.schema(title)}}},
    }
    found["executors"][f"exec-{task}"] = {
        "importer": {"artifactUri": {"constant": uri}, "typeSchema": types.schema(title)}
    }
