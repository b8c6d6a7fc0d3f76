"""`sync`: send to MLflow what it missed, exactly once."""

from engine.mlflow.sync import sync
from engine.request import Request


def main(request: Request) -> tuple[int, None]:
    """Bring MLflow up to date with the journals of all runs."""
    report = sync(request.outputs, request.settings.tracking.model_dump())
    print(report)
    return 1 if report.problems else 0, None
