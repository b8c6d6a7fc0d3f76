"""`edgetpu`: list the operators of model=FILE.tflite that map to the Edge TPU, and why others do not.

For a compiled file, list its contents.
"""

import json
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from engine import digest, layout, single_job
from engine.errors import UserError
from engine.options import CommandOptions
from engine.request import Request
from engine.signature import Library
from engine.store import Store
from engine.wording import table

STAGE = "stages.edgetpu.report"
SHOWN = ("ops", "cached_param_bytes", "streamed_param_bytes", "min_runtime")


class Options(CommandOptions):
    """The options of `edgetpu`."""

    model: str | None = Field(
        None, description="a .tflite file, from the converter or from the Edge TPU's compiler"
    )
    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the operators as a table, or all as JSON."""
    model = _model(request)
    where = f"model={request.options.model}"
    signature = Library(["stages"], request.roots).signature(STAGE, where)
    layout.make_outputs(request.outputs)
    store = Store(layout.store_dir(request.outputs))
    with store.locks.work(f"edgetpu-{time.time_ns()}") as work:
        done = single_job.run(request, signature, work, {"models": model}, {})
        if done.refusal:
            raise UserError(
                where,
                done.refusal,
                "give a .tflite file from the converter or the Edge TPU's compiler",
            )
        if not done.succeeded:
            print(done.log_tail)
            return 1, None
        found = json.loads(done.outputs["report"].read_text(encoding="utf-8"))
    print(
        json.dumps({key: found[key] for key in SHOWN})
        if request.options.format != "table"
        else _table(found)
    )
    return 0, None


def _model(request: Request[Options]) -> Path:
    if request.options.model is None:
        raise UserError("model", "edgetpu needs a model", "add model=FILE.tflite")
    path = Path(request.options.model).expanduser().absolute()
    if not path.is_file():
        raise UserError(
            f"model={request.options.model}",
            "there is no such file",
            "give the path of a .tflite file",
        )
    digest.refuse_endless(f"model={request.options.model}", path)
    return path


def _table(found: dict[str, Any]) -> str:
    rows = [
        [str(op["index"]), op["type"], "yes" if op["mapped"] else "no", op["reason"] or ""]
        for op in found["ops"]
    ]
    mapped = sum(op["mapped"] for op in found["ops"])
    kind = "prediction for compiler 16" if found["predicted"] else "read from the compiled file"
    return "\n".join(
        [
            table([["index", "type", "mapped", "reason"], *rows]),
            "",
            f"{mapped} of {len(rows)} operators on the Edge TPU ({kind})",
            f"parameters: {found['cached_param_bytes']:,} bytes cached, "
            f"{found['streamed_param_bytes']:,} bytes streamed for each inference",
            f"minimum runtime: {found['min_runtime']}",
        ]
    )
