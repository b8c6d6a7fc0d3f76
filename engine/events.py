"""What a run says of itself: the events of the journal, and the state that replaying them gives.

Plain data and a pure reducer; who writes, reads and shows them lives above. Every event is a JSON object: `v`
(schema version), `seq` (from 0, no gaps), `time` (seconds since 1970, UTC), `event` (its kind), then the
fields that `FIELDS` lists for the kind. A reader ignores fields it does not know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1
Event = Mapping[str, Any]

FIELDS: dict[str, tuple[str, ...]] = {
    # run_id, usecase, target (name), platform (of the target, OCI form), machine (this one's, as x86_64),
    # command
    # (argv), git_commit (or null), params (flat), objective (the metric that a sweep reads, or null),
    # assets: [{key, name, digest, source, licence, path, sample (bool)}]
    # jobs: [{stage, uses, doc, inputs: {name: reference}, outputs: [name], params, platform, runs_on, needs:
    # [stage]}]
    "run_started": (
        "run_id",
        "usecase",
        "target",
        "platform",
        "machine",
        "command",
        "git_commit",
        "params",
        "objective",
        "assets",
        "jobs",
    ),
    "note": ("text", "stage"),  # stage is null for a note of the run itself
    # taken: where the figures were measured: "x86_64", "simulated on x86_64", "emulated (qemu)", "device"
    "job_cached": (
        "stage",
        "fingerprint",
        "outputs",
        "metrics",
        "points",
        "figures",
        "notes",
        "seconds",
        "platform",
        "emulated",
        "taken",
    ),
    "job_started": ("stage", "attempt", "fingerprint", "log", "platform", "emulated", "taken"),
    "progress": ("stage", "done", "total", "message"),
    "metric": ("stage", "name", "value", "step"),
    "figure": ("stage", "kind", "name"),  # and what FIGURES lists for the kind
    "job_finished": ("stage", "attempt", "seconds", "outputs", "metrics"),  # outputs: {name: digest}
    # kind: failed, timeout, killed, input_changed, bad_output, disk_full, disk_error, and of containers:
    # out_of_memory, daemon_lost, device_lost,
    # no_device, image_missing, wrong_platform, no_command, bus_error; retry_in_s is null for the last attempt
    "job_failed": ("stage", "attempt", "seconds", "kind", "message", "log", "log_tail", "retry_in_s"),
    "job_skipped": ("stage", "because"),
    "gate": (
        "stage",
        "metric",
        "rule",
        "value",
        "passed",
    ),  # passed is null where the metric is missing and the rule says "if measured"
    "run_finished": ("status", "seconds"),  # status: finished, failed, rejected, interrupted
}

FIGURES: dict[str, tuple[str, ...]] = {
    "confusion_matrix": ("labels", "matrix"),
    "op_graph": ("nodes", "edges"),  # nodes: [{type, mapped, reason}], edges: [[place, place]]
}


def figure(event: Event) -> dict[str, Any]:
    """Return what a figure's event says of the figure.

    KeyError where it lacks a field or is of no kind that there is.
    """
    return {key: event[key] for key in ("kind", "name", *FIGURES[event["kind"]])}


@dataclass(slots=True)
class StageState:
    """One stage of a run as the events so far describe it."""

    name: str
    job: Mapping[str, Any] = field(default_factory=dict)  # its entry in run_started's jobs
    state: str = "waiting"  # waiting, running, finished, failed, skipped, rejected
    cached: bool = False
    seconds: float | None = None
    started: float | None = None  # wall clock of the last attempt's start
    ended: float | None = None
    attempt: int = 0
    fingerprint: str | None = None
    platform: str | None = None
    emulated: bool = False
    taken: str | None = None
    log: str | None = None
    progress: tuple[float, float, str] | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    points: list[tuple[str, int, float, float]] = field(default_factory=list)  # name, step, value, time
    figures: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    failure: Event | None = None
    because: str | None = None  # why it was skipped


@dataclass(slots=True)
class RunState:
    """A run as the events so far describe it."""

    start: Event = field(default_factory=dict)
    status: str = "running"
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    stages: dict[str, StageState] = field(default_factory=dict)
    last_time: float = 0.0
    damage: str = ""  # why the journal could be read only so far, in a sentence

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics, flat: `stage.metric` to value."""
        return {f"{s.name}.{key}": value for s in self.stages.values() for key, value in s.metrics.items()}


def replay(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Return the state after these events, going on from the given one."""
    state = state or RunState()
    for event in events:
        state.last_time = event["time"]
        if (
            event.get("stage") is None or event["stage"] in state.stages
        ):  # a stage that the run does not have is passed over
            _REDUCERS.get(event["event"], _ignore)(state, event)
    return state


def _ignore(state: RunState, event: Event) -> None:
    """An event of a newer version: nothing to show."""


def _run_started(state: RunState, event: Event) -> None:
    state.start = event
    state.stages = {job["stage"]: StageState(job["stage"], job) for job in event["jobs"]}


def _note(state: RunState, event: Event) -> None:
    notes = state.stages[event["stage"]].notes if event.get("stage") else state.notes
    notes.append(event["text"])


def _job_cached(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.state, stage.cached, stage.ended = "finished", True, event["time"]
    for name in ("fingerprint", "seconds", "platform", "emulated", "taken"):
        setattr(stage, name, event[name])
    stage.outputs, stage.metrics = dict(event["outputs"]), dict(event["metrics"])
    stage.points = [(p[0], p[1], p[2], p[3]) for p in event["points"]]
    stage.figures = list(event["figures"])
    stage.notes += event.get("notes", [])


def _job_started(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
    stage.state, stage.started, stage.progress = "running", event["time"], None
    stage.points, stage.figures, stage.notes, stage.failure = [], [], [], None
    for name in ("attempt", "fingerprint", "log", "platform", "emulated", "taken"):
        setattr(stage, name, event[name])


def _progress(state: RunState, event: Event) -> None:
    state.stages[event["stage"]].progress = (event["done"], event["total"], event["message"])


def _metric(state: RunState, event: Event) -> None:
    state.stages[event["stage"]].points.append((event["name"], event["step"], event["value"], event["time"]))


def _figure(state: RunState, event: Event) -> None:
    if event["kind"] in FIGURES:  # a newer version may know more
        state.stages[event["stage"]].figures.append(figure(event))


def _job_finished(state: RunState, event: Event) -> None:
    stage = state.stages[event["stage"]]
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
