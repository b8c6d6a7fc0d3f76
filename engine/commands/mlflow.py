"""`mlflow`: open MLflow's page on this machine, for the runs below outputs/."""

from engine.compose import Request
from engine.sinks import mlflow


def main(request: Request) -> tuple[int, None]:
    """Serve until interrupted, and say where: MLflow opens on its pages for language models where it is not told otherwise."""
    port = request.settings.port
    print(f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning (Ctrl-C ends it)", flush=True)
    return mlflow.serve(request.outputs, request.settings.tracking.model_dump(), port), None
