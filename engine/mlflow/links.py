"""Finds the MLflow runs that computed cached stages, and links the parent run to them.

One search for each run that computed some of the stages, not for each stage: most stages were
computed together.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from engine.mlflow.entries import Entry, key

_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MOST_RUNS = 10_000  # of one run: its stages
VIEW = "?workflowType=machine_learning"  # otherwise MLflow shows its menu for language models
_MOST_NAMED = 30  # stages in the description, which MLflow shows near the top
_ENDED_WELL = "tags.`rpi.seconds` LIKE '%'"  # a stage gets this tag with its outputs


def find(client: Any, fingerprints: Collection[str]) -> dict[str, str]:
    """Return the id of the MLflow run that computed each job, if this MLflow has it."""
    wanted = {one for one in fingerprints if _FINGERPRINT.fullmatch(one)}
    found: dict[str, str] = {}
    experiments = [one.experiment_id for one in client.search_experiments()] if wanted else []
    for fingerprint in sorted(wanted):
        if fingerprint in found:
            continue
        for run in _first(client, experiments, fingerprint):
            found[fingerprint] = run.info.run_id
            found |= _beside(client, experiments, run, wanted - found.keys())
    return found


def cached_tag(stage: str) -> str:
    """Return the tag of the parent run that holds the id of the MLflow run that computed the stage."""
    return key(f"rpi.cached.{stage}")


def linked(stages: Collection[str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the links that the parent run has already, by stage."""
    return {stage: tags[cached_tag(stage)] for stage in stages if cached_tag(stage) in tags}


def redirected(entry: Entry, mlflow_id: str) -> Entry:
    """Return the parent run's tag that links to the stage's run."""
    assert entry.stage is not None
    return Entry(None, entry.time_ms, tags={cached_tag(entry.stage): mlflow_id})


def note(links: Mapping[str, str]) -> str:
    """Return a text of links for MLflow's page; empty if there are none."""
    if not links:
        return ""
    named = [
        f"[{_plain(stage)}](#/runs/{mlflow_id}{VIEW})"
        for stage, mlflow_id in list(links.items())[:_MOST_NAMED]
    ]
    more = len(links) - len(named)
    return f"Cached stages: {', '.join(named)}" + (f" and {more} more" if more else "")


def _first(client: Any, experiments: list[str], fingerprint: str) -> Any:
    """Return a list with the oldest successful run of this fingerprint."""
    mine = f"tags.`rpi.fingerprint` = '{fingerprint}' AND {_ENDED_WELL}"
    return client.search_runs(
        experiments, mine, max_results=1, order_by=["attributes.start_time ASC"]
    )


def _beside(
    client: Any, experiments: list[str], run: Any, wanted: Collection[str]
) -> dict[str, str]:
    """Return which of the jobs were computed by the same run."""
    run_id = run.data.tags.get("rpi.run_id", "'")
    if not wanted or "'" in run_id:
        return {}
    same = f"tags.`rpi.run_id` = '{run_id}' AND {_ENDED_WELL}"
    found = {
        one.data.tags.get("rpi.fingerprint", ""): one.info.run_id
        for one in client.search_runs(experiments, same, max_results=_MOST_RUNS)
    }
    return {fingerprint: found[fingerprint] for fingerprint in wanted if fingerprint in found}


def _plain(stage: str) -> str:
    return re.sub(r"[^\w@.,=-]", "_", stage)
