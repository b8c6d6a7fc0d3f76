"""`mlflow`: open MLflow's page on this machine, for the runs below outputs/."""

import functools

from engine.mlflow import ui
from engine.request import Request


def main(request: Request) -> tuple[int, None]:
    """Serve until interrupted."""
    say = functools.partial(print, flush=True)
    return ui.serve(request.outputs, request.settings.tracking.model_dump(), request.settings.port, say), None
