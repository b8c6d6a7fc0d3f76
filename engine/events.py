"""The events of a run's journal, and the state that results from replaying them.

Plain data and a pure reducer; writers and readers are in higher layers. Every event is a JSON
object: `v` (schema version), `seq` (from 0, no gaps), `time` (seconds since 1970, UTC), `event`
(its kind), then the fields of the kind's TypedDict, which is also its constructor. A reader ignores
unknown fields.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict, get_args, get_type_hints

from engine.foreach import base_of, value_of
from engine.vocabulary import Direction, Event, FailureKind, RunStatus, StageStatus, Verdict

SCHEMA_VERSION = 1
Point = list[Any]  # [name, step, value, time]: a point of a curve, as stored


class RunStarted(TypedDict):
    """A run begins."""

    event: Literal["run_started"]
    run_id: str
    name: NotRequired[str]  # readable, and unique in its outputs folder
    usecase: str
    target: str
    platform: str  # of the target, in OCI form
    machine: str  # of this machine, such as x86_64
    command: list[str]
    git_commit: str | None
    git_modified: NotRequired[
        bool | None
    ]  # whether tracked files differ from the commit; None: unknown
    parent_run: NotRequired[str | None]  # the run of `mlflow run` that this one is a part of
    # {id, job (from 1), jobs (null if unknown), changes: [override]} of the sweep that it is a job of
    sweep: NotRequired[dict[str, Any] | None]
    params: dict[str, Any]  # flat
    objective: str | None  # the metric that a sweep reads
    # every objective -> "maximise" or "minimise", the most important one first
    objectives: NotRequired[dict[str, Direction]]
    # {prefer: objective, limits: {objective: rule}}: chooses the best job of a sweep
    best: NotRequired[dict[str, Any] | None]
    # [{key, name, digest, source, licence, path, sample (bool), modified (of the newest file of a
    # user's own data, in seconds since 1970; else None)}]
    assets: list[dict[str, Any]]
    until: NotRequired[list[str]]  # the stages that the plan ends with; empty: the whole plan
    left_out: NotRequired[dict[str, str]]  # stages that are not planned -> the reason
    # [{stage, uses, doc, inputs: {name: reference}, outputs: [name], params, platform, runs_on,
    # needs: [stage], values: how many stages its foreach makes}]
    jobs: list[dict[str, Any]]


class Note(TypedDict):
    """A message for the user."""

    event: Literal["note"]
    text: str
    stage: str | None  # None: the run itself
    time: NotRequired[float]  # set only if the journal must not stamp it


class JobCached(TypedDict):
    """A stage's outputs come from the store, with everything that the run which made them recorded."""

    event: Literal["job_cached"]
    stage: str
    fingerprint: str
    outputs: dict[str, str]  # name: digest
    metrics: dict[str, float]
    points: list[Point]
    figures: list[dict[str, Any]]
    notes: list[str]
    seconds: float
    platform: str
    emulated: bool
    # where its figures were measured: "x86_64", "simulated on x86_64", "emulated (qemu)", "device"
    measured_on: str


class JobStarted(TypedDict):
    """An attempt at a stage begins."""

    event: Literal["job_started"]
    stage: str
    attempt: int
    fingerprint: str | None
    log: str  # relative to the run's folder; earlier versions wrote the absolute path
    platform: str
    emulated: bool
    measured_on: str


class Progress(TypedDict):
    """A stage reports its progress."""

    event: Literal["progress"]
    stage: str
    done: float
    total: float
    message: str


class Metric(TypedDict):
    """A point of a curve."""

    event: Literal["metric"]
    stage: str
    name: str
    value: float
    step: int


class Figure(TypedDict):
    """A figure, with the fields of its kind: engine/figures/<kind>.py."""

    event: Literal["figure"]
    stage: str
    kind: str
    name: str


class JobFinished(TypedDict):
    """A stage's outputs are in the store."""

    event: Literal["job_finished"]
    stage: str
    attempt: int
    seconds: float
    outputs: dict[str, str]  # name: digest
    metrics: dict[str, float]
    # where its figures were measured, which may differ from where it ran; since version 0.3
    measured_on: NotRequired[str]


class JobFailed(TypedDict):
    """An attempt at a stage failed."""

    event: Literal["job_failed"]
    stage: str
    attempt: int
    seconds: float
    kind: FailureKind
    message: str
    log: str
    log_tail: str
    retry_in_s: float | None  # None: it was the last attempt


class JobSkipped(TypedDict):
    """A stage does not run."""

    event: Literal["job_skipped"]
    stage: str
    because: str


class Gate(TypedDict):
    """A metric was compared with its rule."""

    event: Literal["gate"]
    stage: str
    metric: str
    rule: str
    value: float | None
    passed: Verdict


class RunFinished(TypedDict):
    """A run ends."""

    event: Literal["run_finished"]
    status: RunStatus
    seconds: float | None


_KINDS: tuple[Any, ...] = (
    RunStarted,
    Note,
    JobCached,
    JobStarted,
    Progress,
    Metric,
    Figure,
    JobFinished,
    JobFailed,
    JobSkipped,
    Gate,
    RunFinished,
)


def _fields(form: Any) -> tuple[str, tuple[str, ...]]:
    hints = get_type_hints(form)
    return get_args(hints.pop("event"))[0], tuple(
        name for name in hints if name in form.__required_keys__
    )


FIELDS: dict[str, tuple[str, ...]] = dict(map(_fields, _KINDS))
"""The fields of each kind of event, in addition to `v`, `seq`, `time` and `event`."""

_STAMP = ("v", "seq", "time", "event", "stage")


def figure(event: Event) -> dict[str, Any]:
    """Return the figure in an event: its kind, its name, and the fields of the kind."""
    return {key: value for key, value in event.items() if key not in _STAMP}


@dataclass(slots=True)
class StageState:
    """The state of one stage, according to the events so far."""

    name: str
    job: Mapping[str, Any] = field(default_factory=dict)  # its entry in run_started's jobs
    state: StageStatus = "waiting"
    cached: bool = False
    seconds: float | None = None
    started: float | None = None  # wall-clock time at which the last attempt started
    ended: float | None = None
    attempt: int = 0
    fingerprint: str | None = None
    platform: str | None = None
    emulated: bool = False
    measured_on: str | None = None
    log: str | None = None
    progress: tuple[float, float, str] | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    points: list[tuple[str, int, float, float]] = field(
        default_factory=list
    )  # name, step, value, time
    figures: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    failure: Event | None = None
    because: str | None = None  # why it was skipped


@dataclass(slots=True)
class RunState:
    """The state of a run, according to the events so far."""

    start: Event = field(default_factory=dict)
    status: RunStatus = "running"
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    stages: dict[str, StageState] = field(default_factory=dict)
    last_time: float = 0.0
    damage: str = ""  # why the rest of the journal cannot be read, as a sentence

    @property
    def is_complete(self) -> bool:
        """Return whether the run was planned without `until`, and finished."""
        return self.status == "finished" and not self.start.get("until")

    @property
    def metrics(self) -> dict[str, float]:
        """Return all metrics, flat: `stage.metric` to value, also under the stage's former name, and
        `stage.metric.mean` over the values of a foreach.
        """
        found = {
            f"{s.name}.{key}": value
            for s in self.stages.values()
            for key, value in s.metrics.items()
        }
        found |= {
            f"{s.job['formerly']}.{key}": value
            for s in self.stages.values()
            for key, value in s.metrics.items()
            if s.job.get("formerly")
        }
        for base in dict.fromkeys(base_of(name) for name in self.stages if value_of(name)):
            found |= {f"{base}.{key}": value for key, value in self.over_values(base).items()}
        return found

    def count_of(self, metric: str) -> int:
        """Return how many values of a foreach the metric, such as `train.accuracy.mean`, combines."""
        base = metric.partition(".")[0]
        return sum(base_of(name) == base for name in self.stages if value_of(name))

    def over_values(self, base: str) -> dict[str, float]:
        """Return mean and sample standard deviation of each metric over the values of a stage's foreach.

        Empty until the stages of all values have their metrics.
        """
        here = [s for s in self.stages.values() if value_of(s.name) and base_of(s.name) == base]
        metrics = [s.metrics for s in here]
        found: dict[str, float] = {}
        if any(s.job.get("values", len(here)) != len(here) for s in here):
            return found  # `until` leaves some stages out of this run
        for name in metrics[0] if metrics else ():
            if all(name in one for one in metrics):
                found |= _spread(name, [one[name] for one in metrics])
        return found


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the mean, and the standard deviation (n - 1) if there are several values."""
    try:
        mean = math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
    except (
        OverflowError,
        ValueError,
    ):  # undefined for infinite values, and overflows for huge ones
        return {}
    if len(values) < 2:
        return {f"{name}.mean": mean}
    return {f"{name}.mean": mean, f"{name}.sd": math.sqrt(squares / (len(values) - 1))}


def replay(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Return the state after these events, starting from the given state."""
    state = state or RunState()
    for event in events:
        state.last_time = event["time"]
        if (
            event.get("stage") is None or event["stage"] in state.stages
        ):  # events of unknown stages are ignored
            _REDUCERS.get(event["event"], _ignore)(state, event)
    return state


def _ignore(state: RunState, event: Event) -> None:
    """Ignore an event of a newer version."""


def _run_started(state: RunState, event: Event) -> None:
    state.start = event
    state.stages = {job["stage"]: StageState(job["stage"], job) for job in event["jobs"]}


def _note(state: RunState, event: Event) -> None:
    notes = state.stages[event["stage"]].notes if event.get("stage") else state.notes
    notes.append(event["text"])


def _job_cached(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.state, stage.cached, stage.ended = "finished", True, event["time"]
    for name in ("fingerprint", "seconds", "platform", "emulated"):
        setattr(stage, name, event[name])
    stage.measured_on = event["measured_on"]
    stage.outputs, stage.metrics = dict(event["outputs"]), dict(event["metrics"])
    stage.points = [(p[0], p[1], p[2], p[3]) for p in event["points"]]
    stage.figures = list(event["figures"])
    stage.notes += event.get("notes", [])


def _job_started(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.state, stage.started, stage.progress = "running", event["time"], None
    stage.points, stage.figures, stage.notes, stage.failure = [], [], [], None
    for name in ("attempt", "fingerprint", "log", "platform", "emulated"):
        setattr(stage, name, event[name])
    stage.measured_on = event["measured_on"]


def _progress(state: RunState, event: Event) -> None:
    state.stages[event["stage"]].progress = (event["done"], event["total"], event["message"])


def _metric(state: RunState, event: Event) -> None:
    state.stages[event["stage"]].points.append(
        (event["name"], event["step"], event["value"], event["time"])
    )


def _figure(state: RunState, event: Event) -> None:
    state.stages[event["stage"]].figures.append(figure(event))


def _job_finished(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.measured_on = event.get("measured_on", stage.measured_on)
    stage.state, stage.seconds, stage.ended = "finished", event["seconds"], event["time"]
    stage.outputs, stage.metrics = dict(event["outputs"]), dict(event["metrics"])


def _job_failed(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.failure, stage.seconds, stage.ended = event, event["seconds"], event["time"]
    stage.state = "failed" if event["retry_in_s"] is None else "waiting"


def _job_skipped(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.state, stage.because = "skipped", event["because"]


def _gate(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.gates.append({k: event[k] for k in ("metric", "rule", "value", "passed")})
    if event["passed"] is False:
        stage.state = "rejected"


def _run_finished(state: RunState, event: Event) -> None:
    state.status, state.seconds = event["status"], event["seconds"]


_REDUCERS = {
    "run_started": _run_started,
    "note": _note,
    "job_cached": _job_cached,
    "job_started": _job_started,
    "progress": _progress,
    "metric": _metric,
    "figure": _figure,
    "job_finished": _job_finished,
    "job_failed": _job_failed,
    "job_skipped": _job_skipped,
    "gate": _gate,
    "run_finished": _run_finished,
}
