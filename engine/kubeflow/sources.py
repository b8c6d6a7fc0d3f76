"""Brings what a plan needs to the cluster: uploads its inputs once, and finds its images."""

import tempfile
from collections.abc import Collection
from pathlib import Path

from engine import digest, job_code, jobfolder
from engine.context import ExecutorContext
from engine.graph import reference
from engine.interfaces import Say
from engine.kubeflow import pipeline
from engine.kubeflow.data import DataRoot
from engine.kubeflow.images import Pushed
from engine.kubeflow.tasks import Sources
from engine.plan import Plan
from engine.store import Store


def pushed(context: ExecutorContext) -> Pushed:
    """Return the images that were pushed to the registry with the current code."""
    settings = context.kubeflow
    code = job_code.find(context.roots, context.packages)
    return Pushed(context.store, settings.registry, code, settings.timeout_s)


def gather(plan: Plan, stages: Collection[str], context: ExecutorContext, say: Say) -> Sources:
    """Upload what these stages read and no task makes, and return where it is.

    Outputs of other stages come from the store, which must have them.
    """
    store = Store(context.store)
    root = DataRoot(str(context.kubeflow.data_root), say, context.kubeflow.timeout_s)
    uris, file_names = {}, {}
    for name in sorted(pipeline.needed(plan, stages)):
        path, found = _on_disk(plan, store, name)
        uris[name] = root.put(path, found)
        if name.startswith("asset:") and found.startswith("file:"):
            file_names[name] = path.name
    projects = {stage: uri for stage in stages if (uri := _project(plan, stage, root))}
    image = pushed(context).reference
    return Sources(image=image, uris=uris, file_names=file_names, projects=projects)


def _on_disk(plan: Plan, store: Store, name: str) -> tuple[Path, str]:
    """Return the path and the digest of an asset, or of another stage's output."""
    ref = reference(name)
    assert ref is not None
    if ref.stage is None:
        path = plan.assets[ref.name].path
        return path, store.assets.of(path)  # a fetched asset is planned by its declaration
    record = plan.jobs[ref.stage].record
    assert record is not None
    return store.path(record.outputs[ref.name]), record.outputs[ref.name]


def _project(plan: Plan, stage: str, root: DataRoot) -> str | None:
    """Upload the stage's own files, and return where they are; None if it has none."""
    files = plan.jobs[stage].job.contract.files
    if files is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        jobfolder.copy_files(files, copy)
        return root.put(copy, digest.of(copy))
