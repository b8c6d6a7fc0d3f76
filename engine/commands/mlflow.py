"""`mlflow`: serve MLflow's page on this machine, for the runs in outputs/."""

import functools

from pydantic import Field

from engine.mlflow import ui
from engine.options import CommandOptions
from engine.request import Request


class Options(CommandOptions):
    """The options of `mlflow`."""

    port: int = Field(
        5000, ge=1, le=65535, description="the port of the page, on this machine only"
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Serve until Ctrl-C or SIGTERM, and return 0; return 1 if the server fails."""
    say = functools.partial(print, flush=True)
    return ui.serve(
        request.outputs, request.settings.tracking.model_dump(), request.options.port, say
    ), None
