"""A stage as a component of Kubeflow Pipelines: its interface, and the command of its container. Pure.

The job travels as one JSON argument, so no value of a use case reaches a shell.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import gpus
from engine.containers.options import emulated_processor
from engine.contract import Contract
from engine.jobfolder import ENVIRONMENT
from engine.kubeflow import names, pods, types
from engine.outcome import timeout_s
from engine.plan import Job
from engine.spec import StageSpec

PROJECT = "stage-project"  # the input with the stage's own files
MOST_BYTES = 100_000  # of the job as an argument: Linux allows 128 KiB (MAX_ARG_STRLEN)
DECLARED_MOST_BYTES = 90_000  # of that, what is known before images and inputs
_STEP = ("python3", "-m", "engine.stage.kubeflow")


@dataclass(frozen=True, slots=True)
class Input:
    """One artifact that a task reads: where it comes from, and how its path is passed on."""

    key: str  # in the component's interface
    producer: str  # the task
    output: str
    type: str
    words: tuple[str, ...]  # of the command, before the path


@dataclass(frozen=True, slots=True)
class Given:
    """An input that every pod sees under the same path, on a volume."""

    name: str
    value: str  # of the foreach, if it is one entry of a folder; otherwise empty
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage, ready to become a task."""

    job: Job
    key: str  # its cache key
    image: str  # by digest
    inputs: tuple[Input, ...]
    given: tuple[Given, ...] = ()
    project: str | None = None  # the path of its own files, if the pods see them there
    file_names: Mapping[str, str] = field(default_factory=dict)  # inputs that are a user's file
    keep: str | None = None  # folder for copies of the outputs

    @property
    def report(self) -> str:
        """Return the name of the output with its report."""
        return names.report_of(self.key)


def interface(step: Step) -> dict[str, Any]:
    """Return the component's inputs and outputs."""
    outputs = {name: output_type(step.job, name) for name in step.job.outputs}
    outputs |= {step.report: "system.Artifact", names.METRICS: "system.Metrics"}
    found: dict[str, Any] = {"outputDefinitions": _artifacts(outputs)}
    if step.inputs:
        found["inputDefinitions"] = _artifacts({one.key: one.type for one in step.inputs})
    return found


def output_type(job: Job, output: str) -> str:
    """Return the type of a stage's output."""
    return types.of_output(output, job.contract.suffixes.get(output, ""))


def container(step: Step) -> dict[str, Any]:
    """Return the container: its image and command."""
    return {"command": [*_STEP, "run", described(step), *_paths(step)], "image": step.image}


def gate(step: Step) -> dict[str, Any]:
    """Return the container that checks the stage's gates."""
    rules = _argument(dict(step.job.spec.require))
    path = _input("report")
    return {"command": [*_STEP, "gate", rules, "--report", path], "image": step.image}


def described(step: Step) -> str:
    """Return the job as an argument of `engine.stage.kubeflow run`."""
    job = step.job
    contract = job.contract
    return _argument(
        {
            "stage": job.stage,
            "key": step.key,
            "invoke": dict(contract.invoke),
            "params": dict(job.params),
            "outputs": {name: contract.file_of(name) for name in job.outputs},
            "without": sorted(name for name, ref in job.inputs.items() if ref is None),
            "names": dict(step.file_names),
            "given": [[one.name, one.value, one.path] for one in step.given],
            "project": step.project,
            "metrics": sorted((contract.metrics or frozenset()) - contract.optional_metrics),
            "measured_on": job.placement.measured_on,
            "env": environment(job),
            "files": pods.shown_cpus(job),
            "timeout_s": timeout_s(job),
            "keep": step.keep,
        }
    )


def declared_bytes(spec: StageSpec, contract: Contract) -> int:
    """Return how long the part of the job is that follows from the stage alone, valid or not."""
    given = {
        "params": {key: one.default for key, one in contract.params.items()} | {**spec.params},
        "env": dict(spec.env),
        "invoke": dict(contract.invoke),
        "require": dict(spec.require),
    }
    return len(_escaped(json.dumps(given, separators=(",", ":"), default=str, skipkeys=True)))


def environment(job: Job) -> dict[str, str]:
    """Return the variables of the stage; those in its `pass_env` come from the cluster's secret."""
    place = job.placement
    wanted = job.spec.resources.gpu
    return {
        **ENVIRONMENT,
        **(emulated_processor(place.platform) if place.emulated else {}),
        **({gpus.VARIABLE: ",".join(map(str, range(wanted)))} if wanted else {}),
        **job.spec.env,
    }


def _paths(step: Step) -> Iterator[str]:
    """Yield the words with the paths that Kubeflow Pipelines fills in."""
    for one in step.inputs:
        yield from (*one.words, _input(one.key))
    for name in step.job.outputs:
        yield from ("--output", name, _output(name))
    yield from ("--report", _output(step.report), "--metrics", _output(names.METRICS))
    yield from ("--executor-input", "{{$}}")


def _input(key: str) -> str:
    return f"{{{{$.inputs.artifacts['{key}'].path}}}}"


def _output(key: str) -> str:
    return f"{{{{$.outputs.artifacts['{key}'].path}}}}"


def _artifacts(found: Mapping[str, str]) -> dict[str, Any]:
    return {
        "artifacts": {key: {"artifactType": types.schema(title)} for key, title in found.items()}
    }


def _argument(value: object) -> str:
    return _escaped(json.dumps(value, sort_keys=True, separators=(",", ":")))


def _escaped(text: str) -> str:
    """Return the same JSON so that neither Kubeflow Pipelines, Argo nor Kubernetes replaces anything.

    They look for `{{...}}` and `$(...)`, which can only occur inside strings.
    """
    return text.replace("{{", "{\\u007b").replace("$(", "\\u0024(")
