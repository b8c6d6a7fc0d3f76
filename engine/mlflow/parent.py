"""The run that `mlflow run` created: our run is nested in it, and its page shows the result."""

from typing import Any

from engine.events import RunState
from engine.mlflow import description
from engine.mlflow.links import VIEW

_LONGEST = 6000  # characters, below MLflow's limit for a tag


def find(client: Any, run_id: str | None) -> Any | None:
    """Return the run, or None if this MLflow does not have it."""
    from mlflow.exceptions import MlflowException

    if not run_id:
        return None
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def describe(client: Any, parent: Any, experiment: str, own: str, state: RunState) -> None:
    """Link the parent's page to the run, and log the objective there.

    A sweep has several runs in one parent, whose page lists them all.
    """
    run_id = parent.info.run_id
    line = f"- [{description.run_name(state.start)}](#/experiments/{experiment}/runs/{own}{VIEW})"
    before = client.get_run(run_id).data.tags.get("mlflow.note.content", "")
    lines = [one for one in before.splitlines() if own not in one]
    words = "\n".join([*lines, f"{line}: {state.status}"])
    client.set_tag(run_id, "mlflow.note.content", words[:_LONGEST])
    stage, _, metric = (state.start.get("objective") or "").partition(".")
    found = state.stages[stage].metrics.get(metric) if stage in state.stages else None
    if found is not None:
        client.log_metric(run_id, f"{stage}.{metric}", found)
