"""`run` (the default): plan the use case, run the stages that are not cached, record everything."""

import sys

from pydantic import Field

from engine import pipeline_file
from engine.drawing import downloads
from engine.drive import drive
from engine.options import CommandOptions
from engine.request import Request

_STATUS = {"finished": 0, "pruned": 0, "interrupted": 130}


class Options(CommandOptions):
    """The options of `run`."""

    output: str | None = Field(
        None,
        description="with executor=kubeflow: the pipeline to write, FILE.yaml; it is submitted only "
        "if kubeflow.host is set",
    )


def main(request: Request[Options]) -> tuple[int, float | None]:
    """Return the exit status and the objective's value."""
    pipeline_file.refuse(request, request.options.output)
    if request.options.output is not None:
        print(*pipeline_file.write(request, request.options.output, downloads.say), sep="\n")
        if request.settings.kubeflow.host is None:
            return 0, None
    outcome = drive(request, sys.stdout, downloads.say)
    objective = outcome.state.metrics.get(str(outcome.state.start.get("objective") or ""))
    return _STATUS.get(outcome.status, 1), objective
