"""`sync`: send to MLflow what it missed while it was away, exactly once."""

from engine.compose import Request
from engine.sinks import mlflow


def main(request: Request) -> tuple[int, None]:
    """Bring MLflow up to date with the journals of all runs."""
    report = mlflow.sync(request.outputs, request.settings["tracking"])
    print(report)
    return 0 if report.complete else 1, None
