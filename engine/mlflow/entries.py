"""What each event adds to MLflow: a pure translation of the journal into entries of MLflow runs.

Every time and step comes from the journal, so that an entry sent twice leaves what an entry sent
once leaves.
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
from engine.vocabulary import Event
from engine.wording import figure_name, redact

Point = tuple[str, float, int, int]  # name, value, time in ms, step
STATUS = {"finished": "FINISHED", "failed": "FAILED", "rejected": "FAILED", "interrupted": "KILLED"}
LONGEST_VALUE = 6000  # MLflow's limit for a parameter, and below its 8000 for a tag
_LONGEST_KEY = 250


@dataclass(frozen=True, slots=True)
class Entry:
    """What is added to one MLflow run: a stage's, or the parent where the stage is null."""

    stage: str | None
    time_ms: int  # of the first event: when a run made for this entry has begun
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    assets: tuple[Mapping[str, Any], ...] = ()
    figures: tuple[Mapping[str, Any], ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)  # name: digest
    end: tuple[str, int] | None = None  # the MLflow run has ended so, then
    fingerprint: str | None = None  # of a cached stage: another run may have recorded all this


def entries(event: Event, state: RunState) -> Iterator[Entry]:
    """Return what the event adds; the state is that after it."""
    yield from _ENTRIES.get(event["event"], _nothing)(event, state)


def merge(found: Iterable[Entry]) -> list[Entry]:
    """Return one entry for each MLflow run, in the order in which they were first named."""
    groups: dict[str | None, list[Entry]] = {}
    for entry in found:
        groups.setdefault(entry.stage, []).append(entry)
    return [_joined(group) for group in groups.values()]


def text(value: Any) -> str:
    """Return a value as MLflow takes it: valid UTF-8, without credentials, cut where it is too
    long.
    """
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    words = redact(
        words.encode("utf-8", "replace").decode().replace("\0", "?")
    )  # PostgreSQL takes no NUL
    return words if len(words) <= LONGEST_VALUE else words[: LONGEST_VALUE - 4] + " ..."


def key(name: str) -> str:
    """Return a name that MLflow takes as a key."""
    words = name.replace("@", "-")  # of foreach: no other stage's name has a "-"
    words = re.sub(r"[^\w\-. /:]", "_", words, flags=re.ASCII)[:_LONGEST_KEY]
    is_plain = words and posixpath.normpath(words) == words and not words.startswith(("/", ".."))
    return (
        words if is_plain and words != "." else re.sub(r"^\.|/|^$", "_", words)
    )  # MLflow takes keys for paths


def _metric_key(stage: StageState, name: str) -> str:
    """Return the metric's column: MLflow shows runs side by side, and there a PC's latency must not
    stand among a Pi's.
    """
    return key(figure_name(stage, name).replace(" (", ": ").replace("(", "").replace(")", ""))


def milliseconds(time_s: float) -> int:
    """Return a time of the journal as MLflow counts."""
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
    names = ("usecase", "target", "platform", "machine", "objective")
    tags = {f"rpi.{name}": text(event.get(name) or "") for name in names}
    tags["rpi.command"] = text(" ".join(event.get("command", ())))
    tags["rpi.sample_data"] = str(any(asset.get("sample") for asset in event["assets"])).lower()
    tags["rpi.status"] = "running"
    if event.get("git_commit"):
        tags["mlflow.source.git.commit"] = tags["rpi.git_commit"] = text(event["git_commit"])
    params = {key(name): text(value) for name, value in event["params"].items()}
    yield Entry(None, _ms(event), params, tags, assets=tuple(event["assets"]))


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
        f"rpi.{name}": text(event.get(name) or "") for name in ("fingerprint", "platform", "taken")
    }
    tags |= {
        "rpi.emulated": str(bool(event["emulated"])).lower(),
        "rpi.cached": str(cached).lower(),
    }
    tags |= {"rpi.uses": text(job.get("uses") or ""), "rpi.attempt": str(event.get("attempt", 0))}
    tags["mlflow.note.content"] = text(job.get("doc") or "")
    params = {key(name): text(value) for name, value in job.get("params", {}).items()}
    keys = {
        ref.removeprefix("asset:")
        for ref in job.get("inputs", {}).values()
        if str(ref).startswith("asset:")
    }
    assets = tuple(asset for asset in state.start["assets"] if asset["key"] in keys)
    return Entry(event["stage"], _ms(event), params, tags, assets=assets)


def _ending(event: Event, state: RunState) -> Iterator[Entry]:
    """Return what a stage leaves: metrics, there and on the parent, outputs, and that it has ended."""
    stage, now = event["stage"], _ms(event)
    # MLflow shows the value of the highest step: a final value must not hide behind its own curve.
    about = state.stages[stage]
    last = {name: step for name, step, _, _ in about.points}
    final = tuple(
        (_metric_key(about, name), float(value), now, last.get(name, 0))
        for name, value in event["metrics"].items()
    )
    tags = {"rpi.state": "finished", "rpi.seconds": text(event["seconds"])}
    if "taken" in event:
        tags["rpi.taken"] = text(event["taken"])
    yield Entry(
        stage, now, tags=tags, points=final, outputs=event["outputs"], end=("FINISHED", now)
    )
    if final:
        names = [stage, *filter(None, [about.job.get("formerly")])]
        points = [
            (key(f"{one}.{name}"), value, at, 0) for one in names for name, value, at, _ in final
        ]
        yield Entry(None, now, points=(*points, *_over_values(event, state)))


def _over_values(event: Event, state: RunState) -> Iterator[Point]:
    """Yield mean and deviation over the values of a foreach, as soon as all of them have ended."""
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
    verdict = {True: "passed", False: "rejected", None: "not judged"}[event["passed"]]
    tags = {
        key(f"rpi.gate.{event['metric']}"): text(
            f"{verdict}: {event['value']} must be {event['rule']}"
        )
    }
    if event["passed"] is False:
        yield Entry(
            event["stage"],
            _ms(event),
            tags=tags | {"rpi.state": "rejected"},
            end=("FAILED", _ms(event)),
        )
    else:
        yield Entry(event["stage"], _ms(event), tags=tags)


def _run_finished(event: Event, state: RunState) -> Iterator[Entry]:
    # The status itself is set when the run's files are there too: an ended MLflow run is a whole one.
    tags = {
        "rpi.status": event["status"],
        "status": event["status"],
        "rpi.seconds": text(event["seconds"]),
    }
    yield Entry(None, _ms(event), tags=tags)


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
