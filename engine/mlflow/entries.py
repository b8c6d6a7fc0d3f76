"""Translates each event of the journal into entries for MLflow runs. Pure.

Every time and step comes from the journal, so that sending an entry twice changes nothing.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from engine.events import RunState, StageState, figure
from engine.foreach import base_of, value_of
from engine.mlflow import description
from engine.vocabulary import Event
from engine.wording import figure_name, redact

Point = tuple[str, float, int, int]  # name, value, time in ms, step
STATUS = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "rejected": "FAILED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
}
LONGEST_VALUE = 6000  # MLflow's limit for a parameter, and below its 8000 for a tag
_LONGEST_KEY = 250


@dataclass(frozen=True, slots=True)
class Entry:
    """What is added to one MLflow run: that of a stage, or the parent if the stage is None."""

    stage: str | None
    time_ms: int  # of the first event: the start time of a run created for this entry
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    assets: tuple[Mapping[str, Any], ...] = ()
    figures: tuple[Mapping[str, Any], ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)  # name: digest
    end: tuple[str, int] | None = None  # final status and end time of the MLflow run
    fingerprint: str | None = None  # of a cached stage, which another run may have recorded


def entries(event: Event, state: RunState) -> Iterator[Entry]:
    """Return what the event adds; the state is the one after the event."""
    yield from _ENTRIES.get(event["event"], _nothing)(event, state)


def merge(found: Iterable[Entry]) -> list[Entry]:
    """Return one entry for each MLflow run, in order of first appearance."""
    groups: dict[str | None, list[Entry]] = {}
    for entry in found:
        groups.setdefault(entry.stage, []).append(entry)
    return [_joined(group) for group in groups.values()]


def text(value: Any) -> str:
    """Return a value in the form that MLflow accepts: valid UTF-8, without credentials, cut to the
    limit.
    """
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    words = redact(
        words.encode("utf-8", "replace").decode().replace("\0", "?")
    )  # PostgreSQL refuses NUL
    return words if len(words) <= LONGEST_VALUE else words[: LONGEST_VALUE - 4] + " ..."


def key(name: str) -> str:
    """Return a name in the form that MLflow accepts as a key."""
    words = name.replace("@", "-")  # of a foreach; no other stage's name has a "-"
    words = re.sub(r"[^\w\-. /:]", "_", words, flags=re.ASCII)[:_LONGEST_KEY]
    is_plain = words and posixpath.normpath(words) == words and not words.startswith(("/", ".."))
    return (
        words if is_plain and words != "." else re.sub(r"^\.|/|^$", "_", words)
    )  # MLflow treats keys as paths


def _metric_key(stage: StageState, name: str) -> str:
    """Return the name of the metric's column. MLflow compares runs by column, and a PC's latency
    must not be in the same column as a Pi's.
    """
    return key(figure_name(stage, name).replace(" (", ": ").replace("(", "").replace(")", ""))


def milliseconds(time_s: float) -> int:
    """Return a time of the journal in MLflow's unit."""
    return round(time_s * 1000)


def _joined(group: Sequence[Entry]) -> Entry:
    """Join the entries of one MLflow run, in time linear in their contents."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for entry in group:
        params.update(entry.params)
        tags.update(entry.tags)
        outputs.update(entry.outputs)
    return Entry(
        group[0].stage,
        group[0].time_ms,
        params,
        tags,
        tuple(chain.from_iterable(entry.points for entry in group)),
        tuple(chain.from_iterable(entry.assets for entry in group)),
        tuple(chain.from_iterable(entry.figures for entry in group)),
        outputs,
        next((entry.end for entry in reversed(group) if entry.end), None),
        next((entry.fingerprint for entry in group if entry.fingerprint), None),
    )


def _nothing(event: Event, state: RunState) -> Iterator[Entry]:
    return iter(())


def _run_started(event: Event, state: RunState) -> Iterator[Entry]:
    names = ("name", "usecase", "target", "platform", "machine", "objective", "git_commit")
    tags = {f"rpi.{name}": text(event.get(name) or "") for name in names}
    if event.get("git_modified") is not None:
        tags["rpi.git_modified"] = str(event["git_modified"]).lower()
    tags["rpi.command"] = text(" ".join(event.get("command", ())))
    tags["rpi.sample_data"] = str(any(asset.get("sample") for asset in event["assets"])).lower()
    tags["rpi.status"] = "running"
    tags["mlflow.source.git.commit"] = tags["rpi.git_commit"]
    params = _params(event["params"])
    assets = tuple(one for one in event["assets"] if not _is_made_here(one, state))
    yield Entry(None, _ms(event), params, _filled(tags), assets=assets)


def _params(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters as MLflow has them: one for each entry of a mapping, so that runs can be
    compared by it.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = value if isinstance(value, Mapping) else {}
        found |= {f"{name}.{entry}": one for entry, one in inner.items()} or {name: value}
    return {key(name): text(value) for name, value in found.items()}


def _is_made_here(asset: Mapping[str, Any], state: RunState) -> bool:
    """Return whether a stage of the run makes the asset, which has no digest before that."""
    return not asset.get("digest") and asset["key"] in state.stages


def _filled(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are not empty."""
    return {name: value for name, value in tags.items() if value}


def _job_started(event: Event, state: RunState) -> Iterator[Entry]:
    yield _opening(event, state, cached=False)


def _job_cached(event: Event, state: RunState) -> Iterator[Entry]:
    stage = event["stage"]
    points = tuple(
        (_metric_key(state.stages[stage], p[0]), float(p[2]), milliseconds(p[3]), int(p[1]))
        for p in event["points"]
    )
    yield _opening(event, state, cached=True)
    figures = tuple(event["figures"])
    yield Entry(stage, _ms(event), points=points, figures=figures, fingerprint=event["fingerprint"])
    yield from _ending(event, state)


def _opening(event: Event, state: RunState, *, cached: bool) -> Entry:
    """Return what is known of a stage before it runs."""
    job = state.stages[event["stage"]].job
    tags = {
        f"rpi.{name}": text(event.get(name) or "")
        for name in ("fingerprint", "platform", "measured_on")
    }
    tags |= {
        "rpi.emulated": str(bool(event["emulated"])).lower(),
        "rpi.cached": str(cached).lower(),
    }
    tags |= {"rpi.uses": text(job.get("uses") or ""), "rpi.attempt": str(event.get("attempt", 0))}
    tags["mlflow.note.content"] = text(job.get("doc") or "")
    params = _params(job.get("params", {}))
    keys = {
        ref.removeprefix("asset:")
        for ref in job.get("inputs", {}).values()
        if str(ref).startswith("asset:")
    }
    assets = tuple(asset for asset in state.start["assets"] if asset["key"] in keys)
    return Entry(event["stage"], _ms(event), params, _filled(tags), assets=assets)


def _ending(event: Event, state: RunState) -> Iterator[Entry]:
    """Return the results of a stage: its metrics, also for the parent, its outputs, and its end."""
    stage, now = event["stage"], _ms(event)
    # MLflow shows the value of the highest step, so the final value gets the last step of its curve.
    about = state.stages[stage]
    last = {name: step for name, step, _, _ in about.points}
    final = tuple(
        (_metric_key(about, name), float(value), now, last.get(name, 0))
        for name, value in event["metrics"].items()
    )
    tags = {"rpi.state": "finished", "rpi.seconds": _seconds(event["seconds"])}
    tags["rpi.measured_on"] = text(event.get("measured_on") or "")
    yield Entry(
        stage,
        now,
        tags=_filled(tags),
        points=final,
        outputs=event["outputs"],
        end=("FINISHED", now),
    )
    if made := tuple(_made(event, state)):
        yield Entry(None, now, assets=made)
    if points := (*_parent_points(about), *_over_values(event, state)):
        yield Entry(None, now, points=points)


def _seconds(seconds: float | None) -> str:
    """Return a duration for a tag; empty for a run whose engine was killed."""
    return "" if seconds is None else f"{seconds:.3f}"


def _made(event: Event, state: RunState) -> Iterator[Mapping[str, Any]]:
    """Yield the assets that the stage made, with the digest and the source of its output."""
    for asset in state.start.get("assets", ()):
        if asset["key"] == event["stage"] and _is_made_here(asset, state):
            digest = next(iter(event["outputs"].values()), None)
            made_by = state.stages[event["stage"]].job.get("uses")
            yield {**asset, "digest": digest, "source": asset.get("source") or made_by}


def all_points(state: RunState) -> list[Point]:
    """Return every stage's metrics as the parent run has them, and the objective's value."""
    found = [point for stage in state.stages.values() for point in _parent_points(stage)]
    return [*found, *_objective(state, milliseconds(state.last_time))]


def _parent_points(stage: StageState) -> Iterator[Point]:
    """Yield the metrics of a stage that has ended, also under its former name."""
    ended = milliseconds(stage.ended or 0)
    for one in filter(None, [stage.name, stage.job.get("formerly")]):
        for name, value in stage.metrics.items():
            yield key(f"{one}.{_metric_key(stage, name)}"), float(value), ended, 0


def _objective(state: RunState, now: int) -> Iterator[Point]:
    """Yield the objective's value under one name, by which runs can be sorted.

    A latency or throughput that was not measured on the device has a label here, too.
    """
    objective = str(state.start.get("objective") or "")
    stage, _, metric = objective.rpartition(".")
    if objective in state.metrics:
        about = state.stages.get(stage)
        label = _metric_key(about, metric).removeprefix(key(metric)) if about else ""
        yield f"objective{label}", float(state.metrics[objective]), now, 0


def _over_values(event: Event, state: RunState) -> Iterator[Point]:
    """Yield mean and standard deviation over the values of a foreach, once all of them have ended."""
    stage = event["stage"]
    for name, value in state.over_values(base_of(stage)).items() if value_of(stage) else ():
        metric, _, kind = name.rpartition(".")
        about = _metric_key(state.stages[stage], metric)
        yield key(f"{base_of(stage)}.{about}.{kind}"), value, _ms(event), 0


def _metric(event: Event, state: RunState) -> Iterator[Entry]:
    point = (
        _metric_key(state.stages[event["stage"]], event["name"]),
        float(event["value"]),
        _ms(event),
        int(event["step"]),
    )
    yield Entry(event["stage"], _ms(event), points=(point,))


def _figure(event: Event, state: RunState) -> Iterator[Entry]:
    yield Entry(event["stage"], _ms(event), figures=(figure(event),))


def _job_failed(event: Event, state: RunState) -> Iterator[Entry]:
    tags = {
        "rpi.failure": text(f"{event['kind']}: {event['message']}"),
        "rpi.attempt": str(event["attempt"]),
    }
    if event["retry_in_s"] is None:
        yield Entry(
            event["stage"],
            _ms(event),
            tags=tags | {"rpi.state": "failed"},
            end=("FAILED", _ms(event)),
        )
    else:
        yield Entry(event["stage"], _ms(event), tags=tags)


def _job_skipped(event: Event, state: RunState) -> Iterator[Entry]:
    tags = {"rpi.state": "skipped", "rpi.because": text(event["because"])}
    yield Entry(event["stage"], _ms(event), tags=tags, end=("KILLED", _ms(event)))


def _gate(event: Event, state: RunState) -> Iterator[Entry]:
    """Return the verdict of a gate, for the stage's run and for the parent."""
    stage, metric, now = event["stage"], event["metric"], _ms(event)
    value = "no value" if event["value"] is None else f"{event['value']:.4g}"
    verdict = description.VERDICTS[event["passed"]]
    judged = text(f"{verdict}: {value} (rule: {event['rule']})")
    tags = {key(f"rpi.gate.{metric}"): judged}
    if event["passed"] is False:
        yield Entry(stage, now, tags=tags | {"rpi.state": "rejected"}, end=("FAILED", now))
    else:
        yield Entry(stage, now, tags=tags)
    yield Entry(None, now, tags={key(f"rpi.gate.{stage}.{metric}"): judged})


def _run_finished(event: Event, state: RunState) -> Iterator[Entry]:
    # The status is set after the run's files are sent: an ended MLflow run is complete.
    tags = {
        "rpi.status": event["status"],
        "status": event["status"],
        "rpi.seconds": _seconds(event["seconds"]),
        "rpi.gates": description.gates_in_words(state),
    }
    points = tuple(_objective(state, _ms(event)))
    yield Entry(None, _ms(event), tags=_filled(tags), points=points)


def _ms(event: Event) -> int:
    return milliseconds(event["time"])


_ENTRIES = {
    "run_started": _run_started,
    "job_started": _job_started,
    "job_cached": _job_cached,
    "job_finished": _ending,
    "metric": _metric,
    "figure": _figure,
    "job_failed": _job_failed,
    "job_skipped": _job_skipped,
    "gate": _gate,
    "run_finished": _run_finished,
}
