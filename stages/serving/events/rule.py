"""Rules as data, and which detections a rule is about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, List, Optional, Tuple

from stages.serving.interfaces import Detection, Update

ANY = "any"  # every label but UNKNOWN
UNKNOWN = "unknown"  # something is there, but the model does not know it

Point = Tuple[float, float]


@dataclass(frozen=True)
class Zone:
    """A polygon in a picture; x and y are fractions of width and height."""

    name: str
    polygon: Tuple[Point, ...]
    source: str = ""  # "": of all sources

    def contains(self, x: float, y: float) -> bool:
        """Return whether the point is inside, by the even-odd rule."""
        is_inside = False
        for (x1, y1), (x2, y2) in zip(self.polygon, (*self.polygon[1:], self.polygon[0])):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                is_inside = not is_inside
        return is_inside


@dataclass(frozen=True)
class When:
    """The condition of a rule."""

    labels: FrozenSet[str]
    zone: Optional[Zone] = None
    source: str = ""  # "": all sources
    min_score: float = 0.0
    leave_score: float = 0.0  # while the event lasts, this score is enough
    count: int = 1
    for_s: float = 0.0
    is_absence: bool = False  # true while nothing matches
    forgive_s: float = 0.5  # how long it may be interrupted


@dataclass(frozen=True)
class Clip:
    """How much a clip shows of the time before and after the beginning of an event."""

    before_s: float = 3.0
    after_s: float = 5.0


@dataclass(frozen=True)
class Do:
    """What follows when an event begins."""

    snapshot: bool = False
    clip: Optional[Clip] = None
    mqtt: bool = False
    webhooks: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule of the user's file."""

    name: str
    when: When
    do: Do = field(default_factory=Do)
    text: str = ""
    cool_down_s: float = 10.0  # after an event, before the next one of the same source


FIELDS = ("rule", "source", "label", "score", "zone", "count", "seconds", "state")
PLACE = re.compile(r"{([^{}]*)}")


def matching(when: When, update: Update, least_score: float) -> List[Detection]:
    """Return the detections that the condition is about, the best score first."""
    height, width = update["size"]
    found = [
        one
        for one in update["detections"]
        if _is_named(one["label"], when.labels)
        and (one["score"] is None or one["score"] >= least_score)
        and _is_in(one["box"], when.zone, height, width)
    ]
    return sorted(found, key=lambda one: -(one["score"] or 0.0))


def concerns(when: When, source: str) -> bool:
    """Return whether the rule is about this source."""
    return source == (when.source or source) == ((when.zone and when.zone.source) or source)


def written(rule: Rule, source: str, detection: Optional[Detection], state: str, count: int) -> str:
    """Return the event's text: the rule's template, in which only names of FIELDS are replaced."""
    label = detection["label"] if detection else " or ".join(sorted(rule.when.labels))
    score = detection["score"] if detection else None
    values: Dict[str, str] = {
        "rule": rule.name,
        "source": source,
        "label": label,
        "score": "" if score is None else f"{score:.0%}",
        "zone": rule.when.zone.name if rule.when.zone else "",
        "count": str(count),
        "seconds": f"{rule.when.for_s:g}",
        "state": state,
    }
    template = rule.text or _sentence(rule.when)
    return PLACE.sub(lambda place: values.get(place[1], place[0]), template)


def _sentence(when: When) -> str:
    where = " in {zone}" if when.zone else ""
    duration = " for {seconds} s" if when.for_s else ""
    if when.is_absence:
        return f"no {{label}}{where}{duration}"
    return (
        f"{{label}}{where}{duration}"
        if when.count == 1
        else f"{{count}} {{label}}{where}{duration}"
    )


def _is_named(label: str, wanted: FrozenSet[str]) -> bool:
    return label in wanted or (ANY in wanted and label != UNKNOWN)


def _is_in(box: Optional[List[float]], zone: Optional[Zone], height: int, width: int) -> bool:
    """Return whether the middle of the box's lower edge, where a person stands, is in the zone."""
    if zone is None:
        return True
    if box is None or not height or not width:
        return False
    _, left, bottom, right = box
    x, y = (left + right) / 2 / width, bottom / height
    return zone.contains(min(max(x, 0.0), 1.0 - 1e-9), min(max(y, 0.0), 1.0 - 1e-9))
