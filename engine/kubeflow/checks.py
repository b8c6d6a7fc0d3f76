"""What a cluster cannot run although this machine could: found before anything is written. Pure."""

from collections.abc import Iterator

from engine.contract import Contract
from engine.errors import UserError
from engine.foreach import base_of
from engine.kubeflow import components, names
from engine.kubeflow.bucket import SCHEMES
from engine.kubeflow.pipeline import Pipeline
from engine.settings import Kubeflow
from engine.spec import StageSpec
from engine.wording import listed

_PAGES = {
    "metrics": "rename it, and return the metrics from the stage: they are shown for each task",
    "a page": "write the page itself as an output with the suffix .html, such as report.html",
}


def of_settings(settings: Kubeflow, *, is_submitted: bool) -> Iterator[UserError]:
    """Yield what a pipeline needs and the settings lack."""
    root = settings.data_root
    if root is None:
        what = "the place where assets and results are stored is not set"
        fix = "set kubeflow.data_root=s3://BUCKET/PREFIX, or a folder that the cluster mounts"
        yield UserError("kubeflow.data_root", what, fix)
    elif "://" in root and root.partition("://")[0] not in SCHEMES:
        what = "KFP reads and writes only s3:// and gs://"
        fix = "write kubeflow.data_root=s3://BUCKET/PREFIX, or a folder that the cluster mounts"
        yield UserError(f"kubeflow.data_root={root}", what, fix)
    elif "://" not in root and not root.startswith("/"):
        what = "a volume is mounted at an absolute path"
        yield UserError(f"kubeflow.data_root={root}", what, f"write kubeflow.data_root=/{root}")
    elif "://" not in root and settings.volume is None and is_submitted:
        what = f"the pods cannot see {root}: no volume is set"
        fix = "set kubeflow.volume=NAME of the PersistentVolumeClaim that contains it"
        yield UserError("kubeflow.volume", what, fix)
    if settings.registry is None:
        what = "the registry from which the cluster pulls images is not set"
        yield UserError("kubeflow.registry", what, "set kubeflow.registry=HOST:PORT/PATH")


def of_stage(spec: StageSpec, contract: Contract, settings: Kubeflow) -> Iterator[UserError]:
    """Yield what a stage needs and the cluster would not give it; the places are keys of the stage."""
    if spec.pass_env and settings.secret is None:
        what = f"kubeflow.secret does not name the secret that has {listed(spec.pass_env)}"
        yield UserError("pass_env", what, "set kubeflow.secret=NAME, or remove pass_env")
    size = components.declared_bytes(spec, contract)
    if size > components.DECLARED_MOST_BYTES:
        yield _too_long("params", size)
    for output in contract.outputs:  # named for the pages of KFP 1
        if shown := names.of_page(output):
            what = f"Kubeflow Pipelines 2 does not show {shown} by this name"
            yield UserError(f"outputs.{output}", what, _PAGES[shown])


def of_pipeline(pipeline: Pipeline, where: str) -> Iterator[UserError]:
    """Yield the stages whose parameters do not fit on a command line."""
    executors = pipeline.spec["deploymentSpec"]["executors"]
    for stage, task in pipeline.names.stages.items():
        command = executors[f"exec-{task}"]["container"]["command"]
        longest = max(map(len, command))
        if longest > components.MOST_BYTES:
            yield _too_long(f"{where}: stages.{base_of(stage)}.params", longest)


def _too_long(where: str, size_bytes: int) -> UserError:
    what = f"its parameters and variables take {size_bytes:,} bytes, more than a command line holds"
    return UserError(where, what, "put them into a file, and read it as an asset")
