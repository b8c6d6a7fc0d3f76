"""Writes a plan as a pipeline of Kubeflow Pipelines: `output=FILE.yaml` of a run with
`executor=kubeflow`. It submits nothing.
"""

from pathlib import Path

from engine.errors import UserError, raise_all
from engine.interfaces import Say
from engine.placement import CLUSTER_EXECUTOR
from engine.request import Request


def refuse(request: Request, output: str | None) -> None:
    """Raise UserError if the options of a cluster and the executor do not belong together."""
    if request.settings.executor.driver != CLUSTER_EXECUTOR:
        if output is not None:
            what = "only a cluster's pipeline is written to a file"
            raise UserError(f"output={output}", what, "add executor=kubeflow, or remove output=")
        return
    raise_all([*_missing(request, output)])


def write(request: Request, output: str, say: Say) -> Path:
    """Write the whole plan, whatever is cached, and return the file's path."""
    raise NotImplementedError


def _missing(request: Request, output: str | None) -> list[UserError]:
    """Return what a pipeline needs and the settings do not have."""
    settings, found = request.settings.kubeflow, []
    if output is None and settings.host is None:
        what = "neither the cluster to submit to nor a file to write is given"
        fix = "set kubeflow.host=https://HOST, or output=pipeline.yaml to write the pipeline"
        found.append(UserError("executor=kubeflow", what, fix))
    if output is not None and Path(output).suffix not in (".yaml", ".yml"):
        fix = f"write output={Path(output).with_suffix('.yaml')}"
        found.append(UserError(f"output={output}", "a pipeline is written as .yaml", fix))
    if settings.data_root is None:
        what = "the place where assets and results are stored is not set"
        fix = "set kubeflow.data_root=s3://BUCKET/PREFIX, or a folder that the cluster mounts"
        found.append(UserError("kubeflow.data_root", what, fix))
    if settings.registry is None:
        what = "the registry from which the cluster pulls images is not set"
        found.append(UserError("kubeflow.registry", what, "set kubeflow.registry=HOST/PATH"))
    return found
