"""Reads the rules of a file, and finds everything that is wrong with them before anything starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

from stages.serving.events import document, values
from stages.serving.events.capped import safe
from stages.serving.events.rule import ANY, FIELDS, PLACE, UNKNOWN, Clip, Do, Rule, When, Zone
from stages.serving.mistakes import Mistake, Mistakes, did_you_mean

NAME = re.compile(r"\w(?:[\w -]{0,62}\w)?")
MOST_RULES = 200
MOST_CLIP_S = 60.0
WHEN = (
    "label",
    "zone",
    "source",
    "min_score",
    "leave_score",
    "count",
    "for",
    "absent_for",
    "forgive",
)
RULE = ("when", "do", "text", "cool_down")
ACTIONS = ("event", "snapshot", "clip", "mqtt", "webhook")
WHOLE_PICTURES = ("classify",)  # tasks whose answers have no boxes
FORGIVE_S = 0.5
LEAVE = 0.8  # of min_score: the default of leave_score


@dataclass(frozen=True)
class Setting:
    """What rules may refer to."""

    task: str = ""
    labels: Tuple[str, ...] = ()  # of the model; empty: any label
    sources: Tuple[str, ...] = ()
    webhook_hosts: Tuple[str, ...] = ()
    has_mqtt: bool = False
    has_snapshots: bool = False
    has_clips: bool = False


@dataclass
class _Reader:
    """Collects the rules and the mistakes of one file."""

    file: document.Document
    setting: Setting
    found: List[Tuple[int, Mistake]] = field(default_factory=list)  # with their lines
    zones: Dict[str, Optional[Zone]] = field(default_factory=dict)  # None: it has a mistake

    def add(self, path: Tuple[Any, ...], what: str, fix: str) -> None:
        self.found.append((self.file.line(*path), Mistake(self.file.where(*path), what, fix)))

    def mistakes(self) -> List[Mistake]:
        """Return all mistakes in the order of the file."""
        return [one for _, one in sorted(self.found, key=lambda pair: pair[0])]

    def value(
        self, path: Tuple[Any, ...], read: Callable[[Any], Any], given: Any, default: Any
    ) -> Any:
        """Return the value as `read` returns it, or the default with a mistake."""
        try:
            return read(given)
        except ValueError as error:
            self.add(path, error.args[0], error.args[1])
            return default

    def mapping(self, path: Tuple[Any, ...], given: Any, known: Iterable[str]) -> Dict[str, Any]:
        """Return a mapping's known keys; every other key is a mistake."""
        keys = tuple(known)
        if not isinstance(given, dict):
            self.add(
                path, f"{values.shown(given)} is not a mapping", f"write keys: {', '.join(keys)}"
            )
            return {}
        for key in given:
            if key not in keys:
                self.add(
                    (*path, key), f"there is no key '{key}' here", did_you_mean(str(key), keys)
                )
        return {key: value for key, value in given.items() if key in keys}

    def named(self, path: Tuple[Any, ...], given: Any) -> Dict[str, Any]:
        """Return a mapping whose keys are names that the user chooses."""
        if not isinstance(given, dict):
            self.add(path, f"{values.shown(given)} is not a mapping", "write 'name: ...' for each")
            return {}
        for name in given:
            if not NAME.fullmatch(str(name)):
                fix = "use letters, digits, _ and -, at most 64"
                self.add((*path, name), f"{values.shown(name)} is not a name", fix)
        return given


def read(path: Path, setting: Setting) -> List[Rule]:
    """Return the rules of a file; raise Mistakes with everything that is wrong."""
    reader = _Reader(document.read(path), setting)
    for place in reader.file.repeated:
        reader.add(place, f"the key '{place[-1]}' appears twice", "remove or rename one of them")
    top = reader.mapping((), reader.file.data, ("zones", "rules"))
    for name, given in reader.named(("zones",), top.get("zones", {})).items():
        reader.zones[str(name)] = _zone(reader, str(name), given)
    rules = reader.named(("rules",), top.get("rules", {}))
    if not rules and not reader.found:
        reader.add((), "it has no rules", "write at least one rule below 'rules:'")
    if len(rules) > MOST_RULES:
        reader.add(("rules",), f"these are more than {MOST_RULES} rules", "remove some")
    for name, other in _alike(map(str, rules)):
        what = f"the names '{other}' and '{name}' are the same in topics and file names"
        reader.add(("rules", name), what, "change a letter or digit of one")
    found = [_rule(reader, str(name), given) for name, given in rules.items()]
    if reader.found:
        raise Mistakes(reader.mistakes())
    return found


def _alike(names: Iterable[str]) -> "Iterator[Tuple[str, str]]":
    """Yield each name that becomes the same as an earlier one, and that one."""
    seen: Dict[str, str] = {}
    for name in names:
        if safe(name) in seen:
            yield name, seen[safe(name)]
        seen.setdefault(safe(name), name)


def _zone(reader: _Reader, name: str, given: Any) -> Optional[Zone]:
    path = ("zones", name)
    inner: Tuple[str, ...] = (*path, "polygon")
    if isinstance(given, list):
        given, inner = {"polygon": given}, path
    keys = reader.mapping(path, given, ("polygon", "source"))
    before = len(reader.found)
    corners = reader.value(inner, values.polygon, keys.get("polygon"), ())
    source = _source(reader, (*path, "source"), keys.get("source", ""))
    return Zone(name, corners, source) if len(reader.found) == before else None


def _rule(reader: _Reader, name: str, given: Any) -> Rule:
    path = ("rules", name)
    keys = reader.mapping(path, given, RULE)
    if "when" not in keys and isinstance(given, dict):
        reader.add(path, "the rule has no condition", "add when: {label: ...}")
    template = (
        reader.value((*path, "text"), values.text, keys["text"], "") if "text" in keys else ""
    )
    for place in PLACE.findall(template):
        if place not in FIELDS:
            what = f"there is nothing to write for {{{place}}}"
            reader.add((*path, "text"), what, did_you_mean(place, FIELDS))
    cool_down = keys.get("cool_down", "10s")
    return Rule(
        name,
        _when(reader, (*path, "when"), keys.get("when", {"label": ANY})),
        _do(reader, (*path, "do"), keys.get("do", [])),
        template,
        reader.value((*path, "cool_down"), values.duration, cool_down, 0.0),
    )


def _when(reader: _Reader, path: Tuple[Any, ...], given: Any) -> When:
    keys = reader.mapping(path, given, WHEN)

    def get(key: str, read: Callable[[Any], Any], default: Any) -> Any:
        return reader.value((*path, key), read, keys[key], default) if key in keys else default

    if "for" in keys and "absent_for" in keys:
        reader.add(
            (*path, "absent_for"), "for and absent_for exclude each other", "remove one of them"
        )
    min_score = get("min_score", values.share, 0.0)
    leave_score = get("leave_score", values.share, round(min_score * LEAVE, 6))
    if leave_score > min_score:
        what = f"leave_score {leave_score:g} is above min_score {min_score:g}"
        reader.add((*path, "leave_score"), what, "write a lower score, or leave it out")
    return When(
        _labels(reader, path, keys),
        _zone_of(reader, (*path, "zone"), keys.get("zone")),
        _source(reader, (*path, "source"), keys.get("source", "")),
        min_score,
        leave_score,
        get("count", values.count, 1),
        get("absent_for" if "absent_for" in keys else "for", values.duration, 0.0),
        "absent_for" in keys,
        get("forgive", values.duration, FORGIVE_S),
    )


def _labels(reader: _Reader, path: Tuple[Any, ...], keys: Dict[str, Any]) -> "frozenset[str]":
    if "label" not in keys:
        fix = f"add label: {ANY}, or the name of a class"
        reader.add(path, "the condition has no label", fix)
        return frozenset()
    at = (*path, "label")
    found: "frozenset[str]" = reader.value(at, values.labels, keys["label"], frozenset())
    known = (*reader.setting.labels, ANY, UNKNOWN)
    for label in sorted(found) if reader.setting.labels else ():
        if label not in known:
            reader.add(at, f"the model has no class '{label}'", did_you_mean(label, known))
    return found


def _zone_of(reader: _Reader, path: Tuple[Any, ...], name: Any) -> Optional[Zone]:
    if name is None:
        return None
    if reader.setting.task in WHOLE_PICTURES:
        what = f"answers of the task '{reader.setting.task}' have no boxes"
        reader.add(path, what, "remove the zone: the rule is about the whole picture")
    elif str(name) not in reader.zones:
        reader.add(path, f"there is no zone '{name}'", did_you_mean(str(name), reader.zones))
    return reader.zones.get(str(name))


def _source(reader: _Reader, path: Tuple[Any, ...], name: Any) -> str:
    known = reader.setting.sources
    if name != "" and known and str(name) not in known:
        reader.add(path, f"there is no source '{name}'", did_you_mean(str(name), known))
    return str(name)


def _do(reader: _Reader, path: Tuple[Any, ...], given: Any) -> Do:
    """Return the actions: a word, a mapping with one key, or a list of both."""
    found: Dict[str, Any] = {"webhooks": ()}
    for n, one in enumerate(given if isinstance(given, list) else [given]):
        at = (*path, n) if isinstance(given, list) else path
        action, details = next(iter(one.items())) if _is_single(one) else (one, None)
        if action not in ACTIONS:
            reader.add(
                at, f"there is no action {values.shown(action)}", did_you_mean(str(action), ACTIONS)
            )
        elif action == "clip":
            found["clip"] = _clip(reader, at, details)
        elif action == "webhook":
            found["webhooks"] += _webhook(reader, at, details)
        elif action != "event":  # which every rule makes
            found[action] = True
        _refuse_disabled(reader, at, action)
    return Do(**found)


def _is_single(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def _refuse_disabled(reader: _Reader, path: Tuple[Any, ...], action: Any) -> None:
    """Refuse an action that would do nothing, because the user has not allowed it."""
    setting = reader.setting
    needs = {
        "snapshot": (
            setting.has_snapshots,
            "pictures of events are not stored",
            "snapshots_mb=100",
        ),
        "clip": (setting.has_clips, "clips of events are not stored", "clips_mb=200"),
        "mqtt": (setting.has_mqtt, "there is no MQTT broker", "mqtt=mqtt://HOST"),
    }
    is_there, what, option = needs.get(action if isinstance(action, str) else "", (True, "", ""))
    if not is_there:
        reader.add(path, what, f"start with {option}, or remove '{action}'")


def _clip(reader: _Reader, path: Tuple[Any, ...], given: Any) -> Clip:
    at = (*path, "clip")
    keys = {} if given is None else reader.mapping(at, given, ("before", "after"))
    before = reader.value((*at, "before"), values.duration, keys.get("before", "3s"), 0.0)
    after = reader.value((*at, "after"), values.duration, keys.get("after", "5s"), 0.0)
    if not 0 < before + after <= MOST_CLIP_S:
        what = f"a clip of {before + after:g} s is not possible"
        reader.add(at, what, f"write at most {MOST_CLIP_S:g}s in all")
    return Clip(before, after)


def _webhook(reader: _Reader, path: Tuple[Any, ...], url: Any) -> Tuple[str, ...]:
    at, hosts = (*path, "webhook"), reader.setting.webhook_hosts
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        is_valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:  # the port, or brackets
        is_valid = False
    if not is_valid or any(one <= " " for one in url):
        reader.add(at, f"{values.shown(url)} is not an address", "write webhook: https://HOST/PATH")
    elif "@" in parts.netloc:
        what = "an address with a user or password would be shown in messages"
        reader.add(
            at, what, "remove the part before @; use a secret path if the receiver offers one"
        )
    elif parts.netloc.lower() not in hosts and (parts.hostname or "") not in hosts:
        fix = f"allow it: webhook_hosts={parts.netloc}"
        reader.add(at, f"the host {parts.netloc} is not allowed", fix)
    else:
        return (str(url),)
    return ()
