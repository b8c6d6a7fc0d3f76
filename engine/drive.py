"""Runs a request: plans it, provides images and assets, picks the driver, connects recorder and
sinks.

Runs are assembled only here. A plan whose images are missing calls this too, because building them is
another run.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from engine import (
    composed,
    ending,
    extensions,
    handles,
    image_runs,
    layout,
    planning,
    provenance,
    pruning,
    run_files,
    run_names,
)
from engine.context import DriverContext, SinkContext
from engine.dispatch import Dispatcher
from engine.errors import UserError
from engine.events import Note, RunFinished, RunState
from engine.images import Image, name_in
from engine.interfaces import Driver, Say, Sink
from engine.journal import FILE_NAME, Journal
from engine.kubeflow import images as registries
from engine.plan import Planned
from engine.planning import Planning
from engine.recorder import Recorder, open_stages
from engine.request import Request
from engine.store import Store
from engine.sweeps import job as sweep_job
from engine.tools import definition, making
from engine.vocabulary import RunStatus
from engine.wording import as_called


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    status: RunStatus
    state: RunState
    run_dir: Path


def drive(request: Request, stream: TextIO, say: Say, *, is_temporary: bool = False) -> Outcome:
    """Run the request to its end. Raise UserError for an invalid request, before anything starts.

    stream: where the run is reported to the user. say: shows the progress of downloads.
    is_temporary: the caller removes the run's folder.
    """
    layout.make_outputs(request.outputs)
    with Store(layout.store_dir(request.outputs)).locks.in_use():
        planned = with_images(request, say)
        try:
            planning.fetch_assets(request, planned, say)
            return _run(request, planned, stream, say, is_temporary)
        finally:
            planned.executors.close()


def with_images(request: Request, say: Say) -> Planning:
    """Return the plan, after loading every image that it needs.

    If an image cannot be built for an executor that was chosen among candidates, use the next
    candidate. Stages whose environment cannot be provided run without it.
    """
    refused: dict[str, str] = {}
    without: dict[str, str] = {}
    while True:
        planned = planning.plan(request, refused, without)
        to_run = planned.plan.to_run
        try:
            lacking = provide_environments(request, planned.executors, to_run, say)
            if not lacking:
                _load_images(request, planned.executors, to_run, say)
                return planned
            without |= {name: _why(error, name, to_run) for name, error in lacking.items()}
        except UserError as error:
            if refused or not planned.executors.candidates:
                planned.executors.close()
                raise
            refused[planned.executors.name] = f"{error.where}: {error.what}"
        planned.executors.close()


def build_images(request: Request, images: Iterable[Image], say: Say) -> dict[str, Path]:
    """Build the images, or find them in the store, and return their archives by full name.

    Raise UserError if a build fails.
    """
    return image_runs.build(request, images, _reporting(say))


def bake_images(request: Request, images: Iterable[Image], say: Say) -> dict[str, Path]:
    """Build the images with the code of stages in them; return the archives by full name."""
    return image_runs.bake(request, images, _reporting(say))


def push_images(request: Request, images: Iterable[Image], say: Say) -> dict[str, Path]:
    """Build the images with the code of stages in them, and push them to kubeflow.registry.

    Return the reports of the pushes by full name, without code.
    """
    registry = str(registries.place(request.settings.kubeflow.registry))
    return image_runs.push(request, images, _reporting(say), registry)


def _reporting(say: Say) -> image_runs.Run:
    """Return how the use case of images is run: as any other, reported on standard error."""
    return lambda request: drive(request, sys.stderr, say)


def provide_images(
    request: Request, executors: Dispatcher, jobs: Sequence[Planned], say: Say
) -> None:
    """Load the images that the executors lack for these jobs, or push them for a cluster.

    Raise UserError if one cannot be built or pushed, or if an environment cannot be provided.
    """
    for name, error in provide_environments(request, executors, jobs, say).items():
        fix = f"{error.fix}; then repeat the command"
        raise UserError(f"environment {name}", error.what, fix)
    _load_images(request, executors, jobs, say)


def provide_environments(
    request: Request, executors: Dispatcher, jobs: Sequence[Planned], say: Say
) -> dict[str, UserError]:
    """Make the environments that these jobs name: for local processes, or as images of containers.

    Return those that cannot be provided, each with the reason.
    """
    lacking: dict[str, UserError] = {}
    store = layout.store_dir(request.outputs)
    for tools in dict.fromkeys(one.job.placement.tools for one in jobs):
        if tools is None:
            continue
        try:
            making.make(tools, store)
        except UserError as error:
            lacking[tools.name] = error
    named = [one for one in jobs if _is_environment(request, one)]
    for name in sorted({str(one.job.spec.image) for one in named}):
        of_name = [one for one in named if one.job.spec.image == name]
        try:
            if any(executors.missing_by_executor(of_name).values()):
                _show_licence(request, of_name[0])
                _load_images(request, executors, of_name, say)
        except UserError as error:
            lacking[name] = error
    return lacking


def _why(error: UserError, name: str, jobs: Iterable[Planned]) -> str:
    stage = next(one.job.stage for one in jobs if one.job.spec.image == name)
    return definition.why(error.what, error.fix, stage)


def _is_environment(request: Request, planned: Planned) -> bool:
    """Return whether the job runs in an image that is an environment."""
    job = planned.job
    if not (job.placement.image and job.spec.image):
        return False
    is_its_own = name_in(job.placement.image) == job.spec.image
    return is_its_own and definition.is_environment(request.roots, job.spec.image)


def _show_licence(request: Request, planned: Planned) -> None:
    name, platform = str(planned.job.spec.image), planned.job.placement.platform
    if found := definition.find(request.roots, name, platform):
        making.show_licence(name, found.licence, layout.store_dir(request.outputs))


def _load_images(
    request: Request, executors: Dispatcher, jobs: Sequence[Planned], say: Say
) -> None:
    missing = executors.missing_by_executor(jobs)
    for pushes, make in ((False, build_images), (True, push_images)):
        wanted = {name: some for name, some in missing.items() if executors.pushes(name) is pushes}
        names = {full_name for full_names in wanted.values() for full_name in full_names}
        if not names:
            continue
        made = make(request, [one for one in executors.images if one.full_name in names], say)
        for name, full_names in wanted.items():
            for full_name in full_names:
                executors.load_into(name, full_name, made[full_name])


def _run(
    request: Request, planned: Planning, stream: TextIO, say: Say, is_temporary: bool
) -> Outcome:
    plan, store, executors = planned.plan, planned.store, planned.executors
    to_run = plan.to_run
    executors.prepare(to_run)
    run_dir = layout.new_run_dir(request.outputs, plan.usecase, plan.target.name, time.time())
    name = _named(request, run_dir)
    with store.locks.work(run_dir.name) as work, Journal(run_dir / FILE_NAME) as journal:
        executors.reclaim(plan.jobs.values() if store.locks.abandoned() else to_run, work)
        _close_abandoned(request.outputs, store)
        sinks = _sinks(request, run_dir, stream, is_temporary)
        composed.record(run_dir, request)
        watcher = pruning.watcher(request.sweep)
        sinks += [watcher] if watcher else []
        recorder = Recorder(run_dir, journal, sinks, points_latest=request.sweep is None)
        sweep_job.begin(request, run_dir)
        recorder.emit(provenance.run_started(request, plan, run_dir.name, name))
        recorder.emit(*(Note(event="note", stage=None, text=text) for text in plan.notes))
        driver = _driver(request, planned, work, run_dir, recorder, say)
        if watcher:
            watcher.connect(driver.prune)
        outcome = _driven(driver, recorder, executors.close, run_dir)
        sweep_job.end(request, outcome.state)
    executors.close()
    for line in filter(None, map(_closed, sinks)):
        stream.write(f"{as_called(line, request.program)}\n")
    return outcome


def _named(request: Request, run_dir: Path) -> str:
    """Give the run the name that the user chose, or a generated one, and return it."""
    chosen = request.settings.run_name
    if chosen is None:
        name = run_names.generated(request.command, request.usecase.name)
        return run_names.claim_generated(request.outputs, run_dir, name)
    try:
        run_names.claim(request.outputs, run_dir, chosen)
    except UserError:  # another engine took it since this run was planned
        handles.remove(run_dir)
        raise
    return chosen


def _closed(sink: Sink) -> str:
    """Close a sink and return its last line; a failing sink cannot fail the finished run."""
    try:
        return _aligned(sink.close())
    except Exception as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
        return f"warning: {type(sink).__module__} could not finish: {why}"


def _aligned(line: str) -> str:
    """Return a sink's last line, such as "MLflow: recorded", in the column of the closing lines."""
    label, colon, text = line.partition(": ")
    return ending.aligned(ending.Line(label, text)) if colon and label.isalpha() else line


def _driven(
    driver: Driver, recorder: Recorder, close: Callable[[], None], run_dir: Path
) -> Outcome:
    """Run the driver to its end; record a fault of the machine, or a bug, before raising it."""
    start = time.monotonic()
    try:
        with _interruptible(driver):
            status = driver.run()
        return Outcome(status, recorder.finish(status, time.monotonic() - start), run_dir)
    except Exception as error:
        close()
        recorder.give_up(error, time.monotonic() - start)
        raise


def _driver(
    request: Request,
    planned: Planning,
    work: Path,
    run_dir: Path,
    recorder: Recorder,
    say: Say,
) -> Driver:
    """Make the driver that the executor's YAML names: engine/drivers/<name>.py."""
    context = DriverContext(
        plan=planned.plan,
        store=planned.store,
        executor=planned.executors,
        work=work,
        run_dir=run_dir,
        emit=recorder.emit,
        cpus=request.settings.executor.cpus,
        fail_fast=request.settings.fail_fast,
        kubeflow=request.settings.kubeflow,
        executors=planned.executors.context,
        say=say,
    )
    name = request.settings.executor.driver
    make: Callable[[DriverContext], Driver] = extensions.module("drivers", name).driver
    return make(context)


def _sinks(request: Request, run_dir: Path, stream: TextIO, is_temporary: bool) -> list[Sink]:
    """Make the sinks that the configuration names: engine/sinks/<name>.py. A sink may return None."""
    context = SinkContext(
        run_dir=run_dir,
        outputs=request.outputs,
        tracking=request.settings.tracking.model_dump(),
        stream=stream,
        is_temporary=is_temporary,
    )
    made = [extensions.module("sinks", name).sink(context) for name in request.settings.sinks]
    return [sink for sink in made if sink is not None]


def _close_abandoned(outputs: Path, store: Store) -> None:
    """Record the end of runs whose engines were killed."""
    gone = set(store.locks.sweep())
    for run_dir in layout.runs(outputs) if gone else ():
        state = run_files.state(run_dir) if run_dir.name in gone else None
        if state is None or state.status != "running" or state.damage:
            continue
        with suppress(
            PermissionError
        ):  # a run of another user, who shares the folder but not its group
            with Journal(run_dir / FILE_NAME) as journal:
                journal.append(
                    *open_stages(state, "its engine was killed"),
                    RunFinished(event="run_finished", status="interrupted", seconds=None),
                )
            run_files.write_contract(run_dir, run_files.state(run_dir))


@contextmanager
def _interruptible(driver: Driver) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end the run cleanly, and the second at once."""

    def interrupt(number: int, frame: object) -> None:
        driver.interrupt()

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
