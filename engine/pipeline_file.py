"""Writes a plan as a pipeline of Kubeflow Pipelines: `output=FILE.yaml` of a run with
`executor=kubeflow`. It submits nothing.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from engine import durable, layout, ordinary, planning
from engine.dispatch import Dispatcher
from engine.drive import with_images
from engine.errors import UserError, raise_all
from engine.interfaces import Say
from engine.kubeflow import checks, document, pipeline
from engine.kubeflow.data import DataRoot
from engine.kubeflow.pipeline import Pipeline, Sources
from engine.placement import CLUSTER_EXECUTOR
from engine.plan import Plan
from engine.planning import Planning
from engine.request import Request
from engine.store import Store


def refuse(request: Request, output: str | None) -> None:
    """Raise UserError if the options of a cluster and the executor do not belong together."""
    if request.settings.executor.driver == CLUSTER_EXECUTOR:
        raise_all([*_mistakes(request, output)])
    elif output is not None:
        what = "only the pipeline of a cluster is written to a file"
        raise UserError(f"output={output}", what, "add executor=kubeflow, or remove output=")


def write(request: Request, output: str, say: Say) -> Path:
    """Write the whole plan, whatever is cached, and return the file's path."""
    layout.make_outputs(request.outputs)
    path = Path(output)
    with ordinary.writing(output), Store(layout.store_dir(request.outputs)).locks.in_use():
        planned = with_images(request, say, every=True)
        try:
            planning.fetch_assets(request, planned, say)
            text = document.written(_compiled(request, planned, say))
        finally:
            planned.executors.close()
        durable.write_whole(path, text.encode())
    return path
