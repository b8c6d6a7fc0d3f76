"""Writes a plan as a pipeline of Kubeflow Pipelines: `output=FILE.yaml` of a run with
`executor=kubeflow`. It submits nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine import durable, layout, ordinary, planning
from engine.dispatch import executor_context
from engine.drive import provide_images
from engine.errors import UserError, raise_all
from engine.interfaces import Say
from engine.kubeflow import checks, document, pipeline, sources
from engine.placement import CLUSTER_EXECUTOR
from engine.plan import Plan, from_device_on
from engine.planning import Planning
from engine.request import Request
from engine.store import Store
from engine.wording import listed


def refuse(request: Request, output: str | None) -> None:
    """Raise UserError if the options of a cluster and the executor do not belong together."""
    if request.settings.executor.driver == CLUSTER_EXECUTOR:
        raise_all([*_mistakes(request, output)])
    elif output is not None:
        what = "only the pipeline of a cluster is written to a file"
        raise UserError(f"output={output}", what, "add executor=kubeflow, or remove output=")


def write(request: Request, output: str, say: Say) -> list[str]:
    """Write the whole plan, whatever is cached, and return what to tell the user.

    Images are pushed and assets uploaded first, because the pipeline contains where they are.
    """
    layout.make_outputs(request.outputs)
    with Store(layout.store_dir(request.outputs)).locks.in_use():
        planned = planning.plan(request)
        try:
            text, notes = _written(request, planned, say)
        finally:
            planned.executors.close()
    with ordinary.writing(output):
        durable.write_whole(Path(output), text.encode())
    return [output, *notes]


def _written(request: Request, planned: Planning, say: Say) -> tuple[str, list[str]]:
    """Return the pipeline as YAML, and notes; raise all mistakes before anything is uploaded."""
    plan, settings = planned.plan, request.settings.kubeflow
    here = from_device_on({name: one.job for name, one in plan.jobs.items()}, plan.target)
    stages = [name for name in plan.jobs if name not in here]
    wanted = [replace(plan.jobs[name], record=None) for name in stages]
    whole = replace(plan, jobs={one.job.stage: one for one in wanted})
    provide_images(request, planned.executors, wanted, say)
    planning.fetch_assets(request, replace(planned, plan=whole), say)
    found = sources.gather(plan, stages, executor_context(request), say)
    made = pipeline.compiled(plan, settings, found, stages)
    raise_all([*checks.of_pipeline(made, request.where)])
    return document.written(made), [*_left_out(plan, here)]


def _left_out(plan: Plan, here: Collection[str]) -> Iterator[str]:
    """Yield a note on the stages that the cluster does not run."""
    if here:
        stages = listed([name for name in plan.jobs if name in here])
        yield f"note: without {stages}, which need the target's device {plan.target.device}"


def _mistakes(request: Request, output: str | None) -> Iterator[UserError]:
    settings = request.settings.kubeflow
    if output is None and settings.host is None:
        what = "neither the cluster to submit to nor a file to write is given"
        fix = "set kubeflow.host=https://HOST, or output=pipeline.yaml to write the pipeline"
        yield UserError("executor=kubeflow", what, fix)
    if output is not None and Path(output).suffix not in (".yaml", ".yml"):
        fix = f"write output={Path(output).with_suffix('.yaml')}"
        yield UserError(f"output={output}", "a pipeline is written as .yaml", fix)
    if output is not None and request.sweep and not _names_a_change(output, request.sweep.changes):
        what = "each job of the sweep would overwrite it"
        fix = "write the changed values into its name: 'output=p-${params.KEY}.yaml'"
        yield UserError(f"output={output}", what, fix)
    yield from checks.of_settings(settings, is_submitted=settings.host is not None)


def _names_a_change(output: str, changes: Sequence[str]) -> bool:
    """Return whether the file's name contains a value that distinguishes the job from the others."""
    values = [change.partition("=")[2].strip("'\"") for change in changes]
    return any(value and value in Path(output).name for value in values)
