"""Counts what the pipeline reports, as metrics by their Prometheus names. Pure: time is an argument."""

from __future__ import annotations

from collections import Counter, deque
from typing import Deque, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from stages.serving.interfaces import Detection, Event, SourceState, Update, WorkerState

METRICS = {  # name -> (type, help), without labels
    "serving_captured_total": ("counter", "Frames that a source delivered."),
    "serving_answered_total": ("counter", "Frames that the model answered."),
    "serving_dropped_total": ("counter", "Frames without an answer, by cause."),
    "serving_reopened_total": ("counter", "How often a source was opened again."),
    "serving_source_live": ("gauge", "1 if the source delivers frames."),
    "serving_fps": ("gauge", "Frames answered per second."),
    "serving_frame_age_seconds": ("summary", "From capture to answer, over the last minute."),
    "serving_inference_seconds": ("summary", "Duration of an answer, over the last minute."),
    "serving_worker_ready": ("gauge", "1 if the inference process answers on its accelerator."),
    "serving_worker_fallback": ("gauge", "1 if the CPU has taken over from the accelerator."),
    "serving_worker_restarts_total": ("counter", "How often an inference process was restarted."),
    "serving_worker_memory_bytes": ("gauge", "Memory of an inference process."),
    "serving_detections_total": ("counter", "Things found, by label."),
    "serving_detection_score": ("histogram", "Scores of the things found."),
    "serving_events_total": ("counter", "Events that began, by rule."),
    "serving_readers": ("gauge", "Streams that are open."),
    "serving_readers_lost_total": ("counter", "Messages that slow readers lost."),
    "serving_mqtt_connected": ("gauge", "1 if the MQTT broker is connected."),
    "serving_mqtt_lost_total": ("counter", "Events that were not sent to a slow or absent broker."),
    "serving_temperature_celsius": ("gauge", "Temperature of the processor."),
    "serving_throttled": ("gauge", "1 if the processor is slowed down because of heat or power."),
    "serving_undervoltage": ("gauge", "1 if the supply voltage is too low."),
    "serving_memory_bytes": ("gauge", "Memory of a process."),
    "serving_webhook_sent_total": ("counter", "Events that webhooks accepted."),
    "serving_webhook_lost_total": ("counter", "Events that no webhook accepted."),
    "serving_pictures_lost_total": ("counter", "Pictures that could not be taken or stored."),
    "serving_clips_lost_total": ("counter", "Clips that could not be made or stored."),
    "serving_stored_bytes": ("gauge", "Size of the pictures and clips on disk."),
    "serving_storage_failed": ("gauge", "1 if the last picture or clip could not be stored."),
}
BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
QUANTILES = (0.5, 0.95, 0.99)
WINDOW_S = 60.0
MOST_SAMPLES = 2048  # of a source; at more than 34 frames a second they cover less than the window
MOST_LABELS = 200  # counted one by one
OTHER = "other labels"
HIDDEN = {"faces": "face"}  # tasks whose labels are people's names, and what is counted instead

State = Union[SourceState, WorkerState]
Sample = Tuple[float, float, float]  # time, age in ms, inference in ms


class Counters:
    """Statistics of all updates, and metrics computed from them and from the states."""

    def __init__(self, task: str = "") -> None:
        self._hidden = HIDDEN.get(task)
        self._samples: Dict[str, Deque[Sample]] = {}
        self._labels: Counter[str] = Counter()
        self._scores = [0] * (len(BOUNDS) + 1)
        self._score_sum = 0.0
        self._events: Counter[str] = Counter()

    def take(self, update: Update, now_s: float) -> None:
        """Count an update."""
        samples = self._samples.setdefault(update["source"], deque(maxlen=MOST_SAMPLES))
        samples.append((now_s, update["age_ms"], update["infer_ms"]))
        for found in update["detections"]:
            self._count(found)

    def take_event(self, event: Event) -> None:
        """Count an event that began."""
        if event["state"] == "began":
            self._events[event["rule"]] += 1

    def values(self, states: Iterable[State], now_s: float) -> Dict[str, float]:
        """Return all metrics, by name with labels."""
        found: Dict[str, float] = {}
        for state in states:
            found.update(_of_source(state) if state["kind"] == "source" else _of_worker(state))
        for source, samples in list(self._samples.items()):
            found.update(_quantiles(source, list(samples), now_s))
        for label, count in sorted(self._labels.items()):
            found[named("serving_detections_total", label=label)] = count
        for rule, count in sorted(self._events.items()):
            found[named("serving_events_total", rule=rule)] = count
        return {**found, **self._histogram()}

    def _count(self, found: Detection) -> None:
        label = self._hidden or found["label"]
        if label not in self._labels and len(self._labels) >= MOST_LABELS:
            label = OTHER
        self._labels[label] += 1
        score = found["score"]
        if score is not None:
            at = next((n for n, bound in enumerate(BOUNDS) if score <= bound), len(BOUNDS))
            self._scores[at] += 1
            self._score_sum += score

    def _histogram(self) -> Dict[str, float]:
        """Return the scores as a cumulative histogram."""
        name, found, total = "serving_detection_score", {}, 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self._scores):
            total += count
            found[named(f"{name}_bucket", le=bound)] = float(total)
        return {**found, f"{name}_sum": self._score_sum, f"{name}_count": float(total)}


def named(name: str, **labels: str) -> str:
    """Return a metric's name with its labels, escaped as in Prometheus' text format."""
    escaped = [f'{key}="{_escaped(value)}"' for key, value in labels.items()]
    return f"{name}{{{','.join(escaped)}}}" if escaped else name


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _of_source(state: SourceState) -> Dict[str, float]:
    source = state["source"]
    return {
        named("serving_captured_total", source=source): state["captured"],
        named("serving_answered_total", source=source): state["answered"],
        **{
            named("serving_dropped_total", source=source, cause=cause): count
            for cause, count in sorted(state["dropped"].items())
        },
        named("serving_reopened_total", source=source): state["reopened"],
        named("serving_source_live", source=source): state["status"] == "live",
        named("serving_fps", source=source): state["fps"],
    }


def _of_worker(state: WorkerState) -> Dict[str, float]:
    wanted = state["wanted"]
    return {
        named("serving_worker_ready", accelerator=wanted): state["status"] == "ready",
        named("serving_worker_fallback", accelerator=wanted): state["status"] == "fallback",
        named("serving_worker_restarts_total", accelerator=wanted): state["restarts"],
        named("serving_worker_memory_bytes", accelerator=wanted): state["memory_mb"] * 1e6,
    }


def _quantiles(source: str, samples: List[Sample], now_s: float) -> Dict[str, float]:
    """Return quantiles of age and inference over the last minute, in seconds."""
    recent = [one for one in samples if one[0] > now_s - WINDOW_S]
    found: Dict[str, float] = {}
    for name, at in (("serving_frame_age_seconds", 1), ("serving_inference_seconds", 2)):
        ordered = sorted(one[at] for one in recent)
        for part in QUANTILES if ordered else ():
            key = named(name, source=source, quantile=str(part))
            found[key] = quantile(ordered, part) / 1000
    return found


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the quantile of sorted values, as the nearest rank."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def base(name: str) -> str:
    """Return the name in METRICS to which a metric with labels belongs."""
    plain = name.partition("{")[0]
    for suffix in ("_bucket", "_sum", "_count"):
        if plain.endswith(suffix) and plain[: -len(suffix)] in METRICS:
            return plain[: -len(suffix)]
    return plain


Metrics = Mapping[str, float]
