"""`mlflow`: open MLflow's page on this machine, for the runs below outputs/."""

from engine.compose import Request
from engine.sinks import mlflow


def main(request: Request) -> tuple[int, None]:
    """Serve until interrupted."""
    return mlflow.serve(request.outputs, request.settings["tracking"], int(request.settings["port"])), None
