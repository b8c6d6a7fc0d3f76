"""`predict`: run the packaged model of the newest complete run on input=FILE, FOLDER, camera or stream.

The package's task makes the predictions, unless `predict:` in the use case names another stage. It
runs on the target's device if there is one, otherwise on this machine.
"""

import os
import re
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from engine import (
    batch,
    digest,
    interrupts,
    layout,
    ordinary,
    packed,
    predictions,
    run_names,
    single_job,
)
from engine.batch_report import Report
from engine.contract import Contract
from engine.dispatch import Dispatcher
from engine.drawing import downloads
from engine.drive import provide_images
from engine.errors import UserError
from engine.options import CommandOptions
from engine.plan import Planned
from engine.request import Request
from engine.signature import Library
from engine.spec import StageSpec
from engine.store import Store
from engine.wording import listed

STAGE = "stages.edge.predict"
_INTERRUPTED = 130
_NOT_WRITTEN = re.compile(r"\.(jpe?g|bmp|gif|webp|tiff?|avi|mov|mkv|webm|m4v)", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Options(CommandOptions):
    """The options of `predict`."""

    input: str | None = Field(
        None,
        description="a video, a picture, a folder, or another file that the task reads; the number of "
        "a camera, such as 0; or the address of a stream, such as rtsp://camera/1",
    )
    seconds: float = Field(
        10.0, gt=0, description="how long to read a camera or stream; Ctrl-C stops earlier"
    )
    output: str | None = Field(
        None,
        description="where to write the annotated picture (.png) or video (.mp4); several go into a "
        "folder of this name",
    )
    run: str | None = Field(
        None,
        description="a run's name, its id or the beginning of it, or latest; null: the newest complete "
        "run",
    )
    format: predictions.Format = Field("table", description="table, or one JSON object per line")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the predictions as a table or as JSON lines; with output= also write annotated pictures
    or a video.

    Predictions for a camera or stream are printed while it is read; Ctrl-C stops reading and keeps
    the predictions so far.
    """
    stream, package = _stream(request), packed.package(request, request.options.run)
    source = None if stream else _source(request, package)
    output = _output(request)
    contract, params = _contract(request, package, stream)
    if stream.isdecimal():
        _refuse_absent(stream)
    spec = single_job.HERE if stream else _spec(request)
    run = run_names.label(package.parents[2])
    print(f"the model of run {run}{_where(request, spec)}", file=sys.stderr)
    if output:
        with ordinary.writing(request.options.output):
            _refuse_overwriting(request.options, output, source)
            # before the stage runs, which may take long
            output.parent.mkdir(parents=True, exist_ok=True)
    if "annotate" in contract.params:
        params["annotate"] = output is not None
    layout.make_outputs(request.outputs)
    store = Store(layout.store_dir(request.outputs))
    if source is not None and source.is_dir() and _is_separable(request, contract, params):
        params["partial"] = True
        inputs = {"package": package, "source": source}
        return _answer_folder(request, contract, inputs, params, spec, output), None
    store.locks.sweep(batch.OWNER)
    with interrupts.terminable(), store.locks.work(f"{batch.OWNER}{time.time_ns()}") as work:
        following = _following(contract, request)
        done = single_job.run(
            request,
            contract,
            work,
            {"package": package, "source": source},
            params,
            spec,
            lambda executors, jobs: provide_images(request, executors, jobs, downloads.say),
            partial(_show_more, following) if stream else None,
        )
        for note in done.notes:
            print(f"note: {note}", file=sys.stderr)
        if not done.succeeded:
            return _failed(request, spec, done), None
        result = next(iter(done.outputs.values()))
        rows = predictions.rows(result)
        if rows is None:
            print(
                f"{contract.invoke['function']}: it wrote no predictions.jsonl with a JSON object "
                "on each line",
                file=sys.stderr,
            )
            return 1, None
        if not following.has_begun:
            _show(rows, request.options.format)
        if output:
            with ordinary.writing(request.options.output):
                predictions.deliver(result, output)
            print(output, file=sys.stderr)
    return (_INTERRUPTED if done.interrupted else 0), None


def _is_separable(request: Request[Options], contract: Contract, params: dict[str, Any]) -> bool:
    """Return whether a folder may be processed in parts: the stage supports parts, and the task that
    it loads does not track movement from one picture to the next.
    """
    if "partial" not in contract.params:
        return False
    library = Library(request.settings.stage_packages, request.roots)
    return "task" not in contract.loads or (
        library.loaded_constant(contract, params, "task", "follows") is False
    )


def _answer_folder(
    request: Request[Options],
    contract: Contract,
    inputs: dict[str, Path],
    params: dict[str, Any],
    spec: StageSpec,
    output: Path | None,
) -> int:
    """Process a folder part by part, and print the predictions of each part; return the exit
    status.
    """
    report = Report(request.options.format, output, sys.stdout, sys.stderr)
    provide = partial(_provide, request)
    with (
        interrupts.terminable(),
        batch.opened(
            request, contract, inputs, "source", params, spec, provide, report.hear
        ) as found,
    ):
        report.begin(found.total, found.kept)
        try:
            for result in found.results():
                report.show(result)
                with ordinary.writing(request.options.output):
                    report.copy(result)
        except batch.Stopped as stopped:
            report.resume(found.done)
            done = single_job.Done(False, {}, stopped.log or str(stopped))
            return _failed(request, spec, done)
        except KeyboardInterrupt:
            report.resume(found.done)
            raise
    return report.end()


def _provide(request: Request[Options], executors: Dispatcher, jobs: Sequence[Planned]) -> None:
    provide_images(request, executors, jobs, downloads.say)


def _following(contract: Contract, request: Request[Options]) -> predictions.Following:
    """Return the reader of the stage's rows while it runs."""
    name = contract.file_of(next(iter(contract.outputs)))
    return predictions.Following(name, request.options.format)


def _show_more(following: predictions.Following, out: Path) -> None:
    for line in following.more(out):
        print(line, flush=True)


def _show(rows: list[predictions.Row], form: predictions.Format) -> None:
    if rows or form == "table":
        print(predictions.shown(rows, form))


def _failed(request: Request[Options], spec: StageSpec, done: single_job.Done) -> int:
    """Print why there are no predictions; return the exit status."""
    if done.interrupted:
        return _INTERRUPTED
    print(done.log_tail, file=sys.stderr)
    if request.target.device and spec is not single_job.HERE:
        print(f"it ran on the device; {single_job.ON_THIS_MACHINE}", file=sys.stderr)
    return 1


def _source(request: Request[Options], package: Path) -> Path:
    if request.options.input is None:
        raise UserError(
            "input", "predict needs an input", "add input=FILE_OR_FOLDER, or input=0 for a camera"
        )
    path = Path(request.options.input).expanduser().absolute()
    if not path.exists():
        raise UserError(
            f"input={request.options.input}",
            "there is no such file or folder",
            f"give the path of {_readable(request, package)}",
        )
    digest.refuse_endless(f"input={request.options.input}", path)
    return path


def _readable(request: Request[Options], package: Path) -> str:
    """Return what the packed model's task reads; a use case without one may read anything."""
    takes = None
    if request.usecase.task is not None:
        contract, params = _contract(request, package, "")
        library = Library(request.settings.stage_packages, request.roots)
        takes = library.loaded_constant(contract, params, "task", "takes")
    files = {"sentences": "a text file or a CSV", "rows": "a CSV or JSON file"}
    return files.get(str(takes), "a video, a picture or a folder")


def _output(request: Request[Options]) -> Path | None:
    """Return the path for annotated pictures or a video; raise UserError for an unsupported suffix."""
    if not request.options.output:
        return None
    given = Path(request.options.output)
    is_other = _NOT_WRITTEN.fullmatch(given.suffix) and not given.is_dir()
    if is_other and request.usecase.predict is None:
        raise UserError(
            f"output={request.options.output}",
            "pictures are written as .png and videos as .mp4",
            f"write output={given.with_suffix('.png')} or {given.with_suffix('.mp4')}, or name a folder",
        )
    return given.absolute()


def _refuse_overwriting(options: Options, output: Path, source: Path | None) -> None:
    """Raise UserError if the output would overwrite the input, or a file in the input's folder."""
    if source is None or not output.exists():
        return
    if output.samefile(source) or (
        output.is_file() and source.resolve() in output.resolve().parents
    ):
        what = f"this would overwrite the input, input={options.input}"
        raise UserError(f"output={options.output}", what, "name another file or folder")


def _stream(request: Request[Options]) -> str:
    """Return the camera's number or the stream's address that `input` names; empty for a path."""
    wanted = request.options.input or ""
    return wanted if wanted.isdecimal() or _ADDRESS.match(wanted) else ""


def _refuse_absent(number: str) -> None:
    """Raise UserError for a camera that is missing or unreadable. Only Linux lists cameras as files."""
    camera = Path(f"/dev/video{int(number)}")
    if sys.platform != "linux" or os.access(camera, os.R_OK | os.W_OK):
        return
    if camera.exists():
        what = f"you do not have permission to read {camera}"
        fix = "add yourself to the group video, and log in again: sudo usermod -aG video $USER"
    else:
        what = f"this machine has no camera {number}: {camera} does not exist"
        fix = _cameras_here() or "connect a camera, or give a file, a folder or a stream's address"
    raise UserError(f"input={number}", what, fix)


def _cameras_here() -> str:
    numbers = (path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
    words = [f"input={one}" for one in sorted(numbers) if one.isdecimal()]
    return f"give {listed(words, 'or')}" if words else ""


def _spec(request: Request[Options]) -> StageSpec:
    """Return where the stage runs: like the last stage of the use case with `runs_on: target`.

    Without a device it is a process on this machine, unless the user names an executor.
    """
    if request.target.device is None and request.settings.executor.first_of:
        return single_job.HERE
    stages = [one for one in request.usecase.stages.values() if one.runs_on == "target"]
    last = stages[-1] if stages else StageSpec()
    resources = {"accelerator": last.resources.accelerator}
    return StageSpec.model_validate(
        {"runs_on": "target", "image": last.image, "resources": resources}
    )


def _where(request: Request[Options], spec: StageSpec) -> str:
    """Return where the model runs if the target has a device; cameras are read on this machine."""
    if request.target.device is None:
        return ""
    return ", on this machine" if spec is single_job.HERE else f", on {request.target.device}"


def _contract(
    request: Request[Options], package: Path, stream: str
) -> tuple[Contract, dict[str, Any]]:
    """Return the contract of the stage that predicts, and its parameters."""
    library = Library(request.settings.stage_packages, request.roots)
    if request.usecase.predict is not None:
        where = f"{request.where}: predict"
        contract = library.signature(request.usecase.predict, where)
        if stream and "stream" not in contract.params:
            what = f"'{request.usecase.predict}' cannot read cameras or streams"
            raise UserError(f"input={stream}", what, "give the path of a file or folder")
        return contract, {"stream": stream} if stream else {}
    if request.usecase.task is None:
        raise UserError(
            f"{request.where}: task",
            "this use case does not declare the task of its model",
            "add 'task: NAME' of a module in stages/tasks, or 'predict: stages.<domain>.predict'",
        )
    params = {
        "task": packed.task(package),
        "stream": stream,
        "seconds": request.options.seconds,
        "runtime": request.target.runtime,
        "accelerator": request.target.accelerator,
    }
    contract = library.signature(STAGE, f"{request.where}: task")
    return library.loading(contract, params, f"{package}/manifest.json"), params
