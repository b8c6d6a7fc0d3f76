"""`imx500`: show whether the Keras model of model=FILE fits in the AI Camera, and why not.

The model is quantised with random pictures, which changes no size, and Sony's converter reports the memory.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from engine import digest, layout, single_job
from engine.drawing import downloads
from engine.drive import provide_images
from engine.errors import UserError
from engine.options import CommandOptions
from engine.request import Request
from engine.signature import Library
from engine.single_job import Done
from engine.spec import StageSpec
from engine.store import Store
from engine.wording import printable, table

PACKAGE, STAGE = "stages", "stages.imx500.fit"
SPEC = StageSpec.model_validate({"runs_on": "host", "image": "imx500-compiler"})
FORMS = "a .keras or .h5 file with the whole model, or a folder with architecture.json"
Report = Mapping[str, Any]
_MB = 1 << 20


class Options(CommandOptions):
    """The options of `imx500`."""

    model: str | None = Field(None, description=FORMS)
    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the largest layers and the memory as a table, or the report as JSON.

    The exit status is 1 if the model cannot be converted, also because tools are missing here, and 0 if
    it can, whether or not it fits.
    """
    model = _model(request)
    where = f"model={request.options.model}"
    layout.make_outputs(request.outputs)
    store = Store(layout.store_dir(request.outputs))
    with store.locks.work(f"imx500-{time.time_ns()}") as work:
        done = _measured(request, model, work, where)
        if done.refusal:
            raise UserError(where, done.refusal, f"give {FORMS}")
        if not done.succeeded:
            print(done.log_tail)
            return 1, None
        found = json.loads(done.outputs["report"].read_text(encoding="utf-8"))
    print(json.dumps(found) if request.options.format != "table" else shown(found))
    return (0 if found["measured"] else 1), None


def shown(found: Report) -> str:
    """Return the report as text: the largest layers, the memory, and what to reduce."""
    if not found["measured"]:
        return f"not converted: {printable(found['why'])}"
    lines = [table(_layers(found["largest"])), "", _memory(found), _parts(found)]
    if not found["fits"]:
        lines += [f"to make it fit, {advice}" for advice in found["advice"]]
    by = f"{found['by']}, with random pictures: the memory is that of any weights and pictures"
    return "\n".join([*lines, f"measured by {by}"])


def _measured(request: Request[Options], model: Path, work: Path, where: str) -> Done:
    """Run the stage, which takes about a minute, in the environment of Sony's tools."""
    signature = Library([PACKAGE], request.roots).signature(STAGE, where)
    print("quantising the model and reporting its memory ...", file=sys.stderr, flush=True)
    return single_job.run(
        request,
        signature,
        work,
        {"model": model},
        {},
        SPEC,
        lambda executors, jobs: provide_images(request, executors, jobs, downloads.say),
    )


def _model(request: Request[Options]) -> Path:
    if request.options.model is None:
        raise UserError("model", "imx500 needs a model", "add model=FILE.keras")
    where = f"model={request.options.model}"
    path = Path(request.options.model).expanduser().absolute()
    if not path.exists():
        raise UserError(where, "there is no such file or folder", f"give {FORMS}")
    if path.is_dir() and not (path / "architecture.json").is_file():
        raise UserError(where, "the folder has no architecture.json", f"give {FORMS}")
    digest.refuse_endless(where, path)
    return path


def _layers(largest: Sequence[Report]) -> list[list[str]]:
    rows = [
        [
            printable(layer["name"]),
            layer["operator"],
            f"{layer['weights_bytes']:,}",
            f"{layer['output_bytes']:,}",
        ]
        for layer in largest
        if layer["weights_bytes"] or layer["output_bytes"]
    ]
    return [["largest layers", "operator", "bytes of weights", "bytes of output"], *rows]


def _memory(found: Report) -> str:
    verdict = "fits" if found["fits"] else "does not fit"
    used, available = found["memory_bytes"] / _MB, found["available_bytes"] / _MB
    share = found["memory_used_share"]
    return f"{verdict} in the AI Camera: {used:.2f} of {available:.2f} MB ({share:.0%})"


def _parts(found: Report) -> str:
    weights, activations = found["weights_bytes"] / _MB, found["activations_bytes"] / _MB
    return f"weights {weights:.2f} MB, activations {activations:.2f} MB"
