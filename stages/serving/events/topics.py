"""What the server publishes over MQTT: topics, states, and Home Assistant's discovery. Pure.

Discovery follows Home Assistant's MQTT documentation: a retained configuration for each entity below
`homeassistant/`, https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from stages.serving.events.capped import safe
from stages.serving.events.rule import Rule, concerns
from stages.serving.interfaces import Event, SourceState, Summary, Update, WorkerState

DISCOVERY = "homeassistant"
ONLINE, OFFLINE = "online", "offline"
Entity = Tuple[str, str, Dict[str, Any]]  # component, identifier, configuration


@dataclass(frozen=True)
class Topics:
    """The topics below a base."""

    base: str

    @property
    def status(self) -> str:
        """online, or offline as the last will."""
        return f"{self.base}/status"

    @property
    def event(self) -> str:
        """Each event, not retained."""
        return f"{self.base}/event"

    @property
    def system(self) -> str:
        """The device: temperature, what answers."""
        return f"{self.base}/system"

    def state(self, source: str) -> str:
        """The state of a source."""
        return f"{self.base}/source/{safe(source)}"

    def picture(self, source: str) -> str:
        """The picture of the last event of a source, as JPEG."""
        return f"{self.base}/source/{safe(source)}/picture"

    def rule(self, rule: str) -> str:
        """ON while an event of the rule lasts, otherwise OFF."""
        return f"{self.base}/rule/{safe(rule)}"

    def last(self, rule: str) -> str:
        """The last event of a rule."""
        return f"{self.base}/rule/{safe(rule)}/event"


def source_payload(state: Optional[SourceState], update: Optional[Update]) -> str:
    """Return the state of a source as JSON, with the best of what its last frame shows."""
    found: Dict[str, Any] = {}
    if state:
        found = {"status": state["status"], "why": state["why"], "fps": round(state["fps"], 1)}
    if update:
        scored = update["detections"]
        best = max(scored, key=lambda one: one["score"] or 0.0) if scored else None
        found["label"] = best["label"] if best else None
        found["score"] = best and best["score"]
        found["count"] = len(scored)
    return json.dumps(found, sort_keys=True)


def system_payload(workers: Iterable[WorkerState], counters: Mapping[str, float]) -> str:
    """Return the state of the device as JSON."""
    found: Dict[str, Any] = {
        "accelerator": ", ".join(sorted({one["accelerator"] for one in workers})),
        "why": " ".join(one["why"] for one in workers if one["why"]),
    }
    names = {
        "serving_temperature_celsius": "temperature_c",
        "serving_throttled": "is_throttled",
        "serving_undervoltage": "has_low_voltage",
    }
    found.update({key: round(counters[name], 1) for name, key in names.items() if name in counters})
    return json.dumps(found, sort_keys=True)


def event_payload(event: Event) -> str:
    """Return an event as JSON."""
    return json.dumps(event, sort_keys=True)


def discovery(
    topics: Topics, summary: Summary, rules: Sequence[Rule], has_temperature: bool
) -> Dict[str, str]:
    """Return Home Assistant's configuration of every entity, by topic."""
    node = safe(topics.base.replace("/", "-"))
    device = {
        "identifiers": [node],
        "name": f"{summary['name']} ({topics.base.split('/')[-1]})",
        "manufacturer": "RaspberryPi MLOps",
        "model": summary["task"],
        "sw_version": summary["version"],
    }
    shared = {"availability_topic": topics.status, "device": device}
    found = {}
    for component, identifier, entity in _entities(topics, summary, rules, has_temperature):
        unique = f"{node}-{identifier}"
        slug = unique.replace("-", "_").lower()
        names = {"unique_id": unique, "default_entity_id": f"{component}.{slug}"}
        # until Home Assistant 2025.9
        configuration = {**entity, **shared, **names, "object_id": slug}
        topic = f"{DISCOVERY}/{component}/{unique}/config"
        found[topic] = json.dumps(configuration, sort_keys=True)
    return found


def _entities(
    topics: Topics, summary: Summary, rules: Sequence[Rule], has_temperature: bool
) -> List[Entity]:
    sent = [one for one in rules if one.do.mqtt]
    found = [_of_rule(topics, one) for one in sent]
    for source in summary["sources"]:
        found += _of_source(topics, source)
        if any(one.do.snapshot and concerns(one.when, source) for one in sent):
            name = f"{source} last event"
            found.append(
                (
                    "camera",
                    f"{safe(source)}-picture",
                    {"name": name, "topic": topics.picture(source)},
                )
            )
    if has_temperature:
        temperature = _sensor("temperature", topics.system, "temperature_c", "°C")
        temperature.update(device_class="temperature", entity_category="diagnostic")
        found.append(("sensor", "temperature", temperature))
    answers = _sensor("accelerator", topics.system, "accelerator")
    return [*found, ("sensor", "accelerator", {**answers, "entity_category": "diagnostic"})]


def _of_rule(topics: Topics, rule: Rule) -> Entity:
    entity = {
        "name": rule.name,
        "state_topic": topics.rule(rule.name),
        "json_attributes_topic": topics.last(rule.name),
    }
    return "binary_sensor", f"rule-{safe(rule.name)}", entity


def _of_source(topics: Topics, source: str) -> List[Entity]:
    state, name = topics.state(source), safe(source)
    fps = {**_sensor(f"{source} fps", state, "fps", "fps"), "entity_category": "diagnostic"}
    status = {**_sensor(f"{source} status", state, "status"), "entity_category": "diagnostic"}
    return [
        ("sensor", f"{name}-label", _sensor(f"{source} label", state, "label")),
        ("sensor", f"{name}-fps", fps),
        ("sensor", f"{name}-status", status),
    ]


def _sensor(name: str, topic: str, key: str, unit: str = "") -> Dict[str, Any]:
    template = f"{{{{ value_json.{key} }}}}"
    entity: Dict[str, Any] = {"name": name, "state_topic": topic, "value_template": template}
    if unit:
        entity.update(unit_of_measurement=unit, state_class="measurement")
    return entity
