"""What a stage's pod asks of the cluster: processors, memory, nodes, secrets, volumes. Pure."""

import math
from typing import Any

from engine import accelerator
from engine.containers.options import CPUS, FOUR_CPUS
from engine.outcome import timeout_s
from engine.plan import Job
from engine.settings import Kubeflow
from engine.target import Target

START_S = 900  # a pod's deadline also covers the pull of its image
GPU = "nvidia.com/gpu"
_ARCHITECTURE = "kubernetes.io/arch"


def resources(job: Job) -> dict[str, Any]:
    """Return the limits and requests of the pod's container; empty if the stage sets none."""
    wanted = job.spec.resources
    found: dict[str, Any] = {}
    if "cpus" in wanted.model_fields_set:
        cpus = wanted.cpus
        found |= {"cpuLimit": cpus, "cpuRequest": cpus}
        found |= {"resourceCpuLimit": f"{cpus:g}", "resourceCpuRequest": f"{cpus:g}"}
    if wanted.memory:
        memory = str(wanted.memory)
        found |= {"memoryLimit": wanted.memory / 1e9, "memoryRequest": wanted.memory / 1e9}
        found |= {"resourceMemoryLimit": memory, "resourceMemoryRequest": memory}
    if wanted.gpu:
        count = str(wanted.gpu)
        gpus = {"count": count, "resourceCount": count, "resourceType": GPU, "type": GPU}
        found["accelerator"] = gpus
    return found


def kubernetes(job: Job, target: Target, settings: Kubeflow) -> dict[str, Any]:
    """Return what only Kubernetes knows: node labels, deadline, secrets and volumes."""
    limit_s = timeout_s(job)
    return {
        **({"activeDeadlineSeconds": str(math.ceil(limit_s + START_S))} if limit_s else {}),
        **({"emptyDirMounts": [_cpus()]} if job.placement.emulated else {}),
        "nodeSelector": {"labels": _labels(job, target, settings)},
        **({"pvcMount": [_volume(settings)]} if settings.volume else {}),
        **({"secretAsEnv": [_secret(job, settings)]} if job.spec.pass_env else {}),
    }


def shown_cpus(job: Job) -> dict[str, str]:
    """Return the files that describe CPUs to an emulated stage, as on this machine's Docker engine.

    LiteRT for arm64 would crash with the caches of an x86 node (docs/containers-pipeline.md), and
    without any CPU it chooses other kernels, so that single outputs differ by a quantisation step.
    """
    if not job.placement.emulated:
        return {}
    files = sorted(FOUR_CPUS.iterdir())
    return {str(CPUS / file.name): file.read_text(encoding="ascii") for file in files}


def _labels(job: Job, target: Target, settings: Kubeflow) -> dict[str, str]:
    """Return the labels that a node must have."""
    place, wanted = job.placement, job.spec.resources
    is_arm = place.platform != "linux/amd64" and not place.emulated
    labels = {_ARCHITECTURE: "arm64" if is_arm else "amd64"}
    if wanted.gpu and settings.gpu_label:
        labels |= _pair(settings.gpu_label)
    has_one = wanted.accelerator and not place.emulated and target.accelerator != accelerator.NONE
    if has_one and job.spec.runs_on == "target" and settings.accelerator_label:
        labels |= _pair(settings.accelerator_label)
    return labels


def _pair(label: str) -> dict[str, str]:
    key, _, value = label.partition("=")
    return {key: value}


def _cpus() -> dict[str, str]:
    """Return the mount that hides the node's CPUs, into which the step writes `shown_cpus`."""
    return {"mountPath": str(CPUS), "volumeName": "cpus"}


def _volume(settings: Kubeflow) -> dict[str, Any]:
    name = settings.volume
    parameter = {"runtimeValue": {"constant": name}}
    return {"constant": name, "mountPath": settings.data_root, "pvcNameParameter": parameter}


def _secret(job: Job, settings: Kubeflow) -> dict[str, Any]:
    keys = [{"envVar": name, "secretKey": name} for name in job.spec.pass_env]
    parameter = {"runtimeValue": {"constant": settings.secret}}
    return {
        "keyToEnv": keys,
        "optional": True,  # as on this machine, a variable that is not set is left out
        "secretName": settings.secret,
        "secretNameParameter": parameter,
    }
