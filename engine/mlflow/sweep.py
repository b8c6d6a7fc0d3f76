"""The MLflow run of a sweep: its jobs are its children, and its page shows their table.

MLflow shows a run below its parent only if they share the experiment, so a sweep over several use
cases has one in each.
"""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import layout
from engine.mlflow.backend import resolve
from engine.mlflow.entries import key
from engine.mlflow.links import VIEW
from engine.mlflow.locks import open_lock
from engine.mlflow.queue import FOLDER, RunRequest
from engine.mlflow.start import SenderStarter
from engine.sweeps import pareto, ranking, record, table
from engine.sweeps.record import Job, Sweep
from engine.vocabulary import Event
from engine.wording import command_line_of, in_short, short_key

TAG = "rpi.sweep"  # of the sweep's own run
JOB_TAG = "rpi.sweep_id"  # of the runs of its jobs
_LONGEST_NAME, _LONGEST_NOTE = 200, 6000
_MOST_ROWS = 50
_MOST_RUNS = 10_000


def tags_of_job(start: Event) -> dict[str, str]:
    """Return the tags of a job's run, by which its sweep's run finds it; none outside a sweep."""
    sweep = start.get("sweep")
    if not sweep:
        return {}
    count = f" of {sweep['jobs']}" if sweep["jobs"] else ""
    return {JOB_TAG: sweep["id"], "rpi.sweep_job": f"{sweep['job']}{count}"}


def find_or_create(
    client: Any, experiment: str, start: Event, run_dir: Path, outer: str | None
) -> str | None:
    """Return the MLflow run of the sweep that the run is a job of; None outside a sweep.

    outer: the MLflow run that `mlflow run` created, if it started the sweep.
    """
    sweep = start.get("sweep")
    if not sweep:
        return None
    with _alone(run_dir.parents[2]):  # the sender and `sync` may send jobs of the same sweep
        own = f"tags.`{TAG}` = '{sweep['id']}'"
        for found in client.search_runs([experiment], own, max_results=1):
            return str(found.info.run_id)
        keys = ", ".join(
            dict.fromkeys(short_key(one.partition("=")[0]) for one in sweep["changes"])
        )
        name = f"sweep of {keys or 'one job'} on {start['target']} ({start['usecase']})"
        tags = {TAG: sweep["id"], "mlflow.source.name": "run.py"}
        tags |= {f"rpi.{name}": start[name] for name in ("usecase", "target")}
        if outer:
            tags["mlflow.parentRunId"] = outer
        began_ms = round(start["time"] * 1000)
        made = client.create_run(experiment, began_ms, tags, name[:_LONGEST_NAME])
        return str(made.info.run_id)


def describe(client: Any, mlflow_id: str, experiment: str, start: Event, run_dir: Path) -> None:
    """Show on the page of the sweep how far it is, and end its run if the sweep has ended."""
    folder = layout.sweeps_dir(run_dir.parents[2]) / start["sweep"]["id"]
    sweep = record.read(folder)
    if sweep is None:  # its record was removed, or is on another machine
        return
    ids = _children(client, experiment, sweep.id)
    best = ranking.best(sweep.jobs)
    words = "\n\n".join(
        filter(None, [_headline(sweep, best), "\n".join(_table(sweep, ids, experiment))])
    )
    client.set_tag(mlflow_id, "mlflow.note.content", words[:_LONGEST_NOTE])
    client.set_tag(mlflow_id, "rpi.command", table.command(sweep)[:_LONGEST_NOTE])
    if best:
        client.set_tag(mlflow_id, "rpi.best_run", _run_id(best))
        for name, value in _points(best):
            client.log_metric(
                mlflow_id, name, value, timestamp=round((best.facts.ended or 0) * 1000)
            )
    report = folder / table.REPORT
    if report.is_file():
        client.log_artifact(mlflow_id, str(report))
    _set_status(client, mlflow_id, sweep, best)


def request(sweep: Path, outputs: Path, tracking: Mapping[str, object]) -> None:
    """Ask the sender to describe the sweep once more: its last job ended before it did."""
    if tracking["enabled"]:
        starter = SenderStarter(outputs.absolute(), resolve(outputs, tracking))
        starter.queue.put(RunRequest(sweep.absolute(), None, is_complete=True))
        starter.start_if_needed()


def last_run(folder: Path) -> Path | None:
    """Return the newest run of the sweep in this folder; None for a folder of another kind."""
    sweep = record.read(folder) if folder.parent.name == layout.SWEEPS_DIR else None
    runs = filter(None, map(sweep.run_dir, sweep.jobs)) if sweep else ()
    return max(runs, key=lambda path: path.name, default=None)


@contextmanager
def _alone(outputs: Path) -> Iterator[None]:
    folder = layout.store_dir(outputs) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with open_lock(folder / "sweeps.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _children(client: Any, experiment: str, sweep_id: str) -> dict[str, str]:
    """Return the MLflow runs of the jobs by their run ids."""
    jobs = f"tags.`{JOB_TAG}` = '{sweep_id}'"
    found = client.search_runs([experiment], jobs, max_results=_MOST_RUNS)
    return {one.data.tags.get("rpi.run_id", ""): one.info.run_id for one in found}


def _headline(sweep: Sweep, best: Job | None) -> str:
    lines = [table.headline(sweep).partition(": ")[2]]
    if best:
        lines.append(f"**Best: job {best.number}** ({in_short(best.facts.changes)})")
        if len(best.facts.directions) > 1:
            lines.append(f"Chosen from the Pareto front by the rule: {pareto.rule_of(best.facts)}")
        lines.append(f"Run it alone with `{command_line_of(best.facts.command)}`")
    return "\n\n".join(lines)


def _table(sweep: Sweep, ids: Mapping[str, str], experiment: str) -> Iterator[str]:
    names = ranking.objectives(sweep.jobs)
    keys = list(map(short_key, sweep.asked.keys))
    yield _cells(["Job", *keys, *names, "State", "Gates"])
    yield _cells(["---"] * (len(keys) + len(names) + 3))
    for job in ranking.ranked(sweep.jobs)[:_MOST_ROWS]:
        mlflow_id = ids.get(_run_id(job))
        page = f"#/experiments/{experiment}/runs/{mlflow_id}{VIEW}"
        label = f"[{job.number}]({page})" if mlflow_id else str(job.number)
        values = dict(one.partition("=")[::2] for one in job.facts.changes)
        varied = [values.get(one, "") for one in sweep.asked.keys]
        results = [table.value(job, name) for name in names]
        yield _cells([label, *varied, *results, job.state, table.gates(job)])


def _cells(words: Sequence[str]) -> str:
    return "| " + " | ".join(one.replace("|", "\\|") for one in words) + " |"


def _run_id(job: Job) -> str:
    return Path(job.facts.run or "").name


def _points(best: Job) -> Iterator[tuple[str, float]]:
    """Yield the best job's objectives; their names say if they were not measured on the device."""
    for name, value in best.facts.values.items():
        where = best.facts.measured_on.get(name)
        yield key(f"{name}: {where}".replace("(", "").replace(")", "") if where else name), value


def _set_status(client: Any, mlflow_id: str, sweep: Sweep, best: Job | None) -> None:
    """Set the status that the sweep has now: a continued one runs again."""
    if sweep.end:
        ended_ms = round(sweep.end.ended * 1000)
        client.set_terminated(mlflow_id, "FINISHED" if best else "FAILED", ended_ms)
    elif sweep.is_running:
        client.update_run(mlflow_id, status="RUNNING")
    else:
        client.set_terminated(mlflow_id, "KILLED")
