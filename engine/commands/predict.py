"""`predict`: run the packed model of the newest finished run on input=FILE_OR_FOLDER.

The use case's `predict:` names the stage that does it; here it is laid out, run and its result
shown.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from engine import digest, layout, ordinary, run_files, single_job
from engine.contract import Contract
from engine.errors import UserError
from engine.options import CommandOptions
from engine.request import Request
from engine.signature import Library
from engine.store import Store
from engine.wording import table


class Options(CommandOptions):
    """The options of `predict`."""

    input: str | None = Field(None, description="a video, a picture, a folder, or a keypoint CSV")
    output: str | None = Field(None, description="where to write pictures or a video")
    run: str | None = Field(
        None, description="a run's id or its beginning; null: the newest that finished"
    )
    format: Literal["table", "json", "jsonl"] = Field(
        "table", description="table, or a JSON object a line"
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Print what the model says as a table or as JSON lines; with output= also write pictures or a
    video.
    """
    source, package, contract = _source(request), _package(request), _contract(request)
    print(f"the model of run {package.parents[2].name}", file=sys.stderr)
    output = Path(request.options.output).absolute() if request.options.output else None
    if output:
        with ordinary.writing(request.options.output):
            output.parent.mkdir(parents=True, exist_ok=True)  # before the work, which may be long
    layout.make_outputs(request.outputs)
    store = Store(layout.store_dir(request.outputs))
    with store.work(f"predict-{time.time_ns()}") as work:
        params = {"annotate": output is not None} if "annotate" in contract.params else {}
        done = single_job.run(
            request, contract, work, {"package": package, "source": source}, params
        )
        if not done.succeeded:
            print(done.log_tail, file=sys.stderr)
            return 1, None
        result = next(iter(done.outputs.values()))
        rows = _rows(result)
        if rows is None:
            print(
                f"{contract.invoke['function']}: it wrote no predictions.jsonl with a JSON object "
                "in each line",
                file=sys.stderr,
            )
            return 1, None
        _show(rows, request.options.format)
        if output:
            with ordinary.writing(request.options.output):
                _deliver(result, output)
    return 0, None


def _package(request: Request[Options]) -> Path:
    """Return the packed model: of run=ID, else of the newest finished run that has one."""
    if request.options.run:
        runs = [layout.find_run(request.outputs, request.options.run)]
    else:
        folder = request.outputs / request.usecase.name / request.target.name
        runs = [run for run in reversed(layout.runs(request.outputs)) if run.parent == folder]
    for run_dir in runs:
        packages = sorted(run_dir.glob("artifacts/*/package"))
        if packages and (request.options.run or run_files.summary(run_dir).status == "finished"):
            return packages[0]
    where = request.options.run or f"{request.usecase.name} for {request.target.name}"
    make = f"make one: python run.py usecase={request.usecase.name} target={request.target.name}"
    raise UserError(where, "there is no packed model of a finished run", make)


def _source(request: Request[Options]) -> Path:
    if request.options.input is None:
        raise UserError("input", "predict needs something to look at", "add input=VIDEO_OR_FOLDER")
    path = Path(request.options.input).expanduser().absolute()
    if not path.exists():
        raise UserError(
            f"input={request.options.input}",
            "there is no such file or folder",
            "give the path of a video, a picture or a folder",
        )
    digest.refuse_endless(f"input={request.options.input}", path)
    return path


def _contract(request: Request) -> Contract:
    if request.usecase.predict is None:
        raise UserError(
            f"{request.where}: predict",
            "this use case names no stage for it",
            "add 'predict: stages.<domain>.predict'",
        )
    library = Library(request.settings.stage_packages, request.roots)
    return library.signature(request.usecase.predict, f"{request.where}: predict")


def _rows(result: Path) -> list[dict[str, Any]] | None:
    """Return what the stage predicts, or None where that cannot be read."""
    try:
        lines = (result / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError):
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def _show(rows: list[dict[str, Any]], form: str) -> None:
    if form != "table":
        for row in rows:
            print(json.dumps(row))
        return
    if not rows:
        print("nothing was recognised")
        return
    keys = list(rows[0])
    cells = [
        [f"{row[k]:.3f}" if isinstance(row.get(k), float) else str(row.get(k, "")) for k in keys]
        for row in rows
    ]
    print(table([keys, *cells]))


def _deliver(result: Path, output: Path) -> None:
    """Copy the annotated video or pictures to where the user wants them: one to a file, several
    into a folder.
    """
    made = sorted((result / "annotated").glob("*"))
    if len(made) == 1 and output.suffix == made[0].suffix:
        shutil.copyfile(made[0], output)
    else:
        output.mkdir(parents=True, exist_ok=True)
        for path in made:
            shutil.copyfile(path, output / path.name)
    print(output, file=sys.stderr)
