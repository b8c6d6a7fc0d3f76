"""Applies all rules to the updates of all sources; returns events without a number. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from stages.serving.events.machine import Change, Machine
from stages.serving.events.rule import Rule, concerns, matching, written
from stages.serving.interfaces import Detection, Update


@dataclass(frozen=True)
class Happening:
    """An event that began or ended, and the rule that found it."""

    rule: Rule
    source: str
    time_s: float  # since 1970
    state: Change
    text: str
    detection: Optional[Detection]
    frame: int


class Rules:
    """The rules of a server, with the state of each at each source."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._machines: Dict[Tuple[str, str], Machine] = {}
        self._last: Dict[Tuple[str, str], Happening] = {}

    def take(self, update: Update, steady_s: float) -> List[Happening]:
        """Return what begins or ends with an update; steady_s: its capture, on a clock that is never
        set.
        """
        return [
            one
            for rule in self.rules
            if concerns(rule.when, update["source"])
            for one in self._apply(rule, update, steady_s)
        ]

    def tick(self, steady_s: float, time_s: float) -> List[Happening]:
        """Return what ends because no updates arrive."""
        return list(self._endings({key: one.tick(steady_s) for key, one in self._all()}, time_s))

    def finish(self, time_s: float) -> List[Happening]:
        """Return the ends of all events that last."""
        return list(self._endings({key: one.finish() for key, one in self._all()}, time_s))

    def active(self) -> "Dict[Tuple[str, str], bool]":
        """Return whether an event lasts, by rule and source."""
        return {key: machine.is_active for key, machine in self._all()}

    def _all(self) -> "List[Tuple[Tuple[str, str], Machine]]":
        return list(self._machines.items())

    def _apply(self, rule: Rule, update: Update, steady_s: float) -> Iterator[Happening]:
        when, source = rule.when, update["source"]
        machine = self._machine(rule, source)
        is_lenient = machine.is_active != when.is_absence
        least = when.leave_score if is_lenient else when.min_score
        found = matching(when, update, least)
        holds = (len(found) >= when.count) != when.is_absence
        best = found[0] if found and not when.is_absence else None
        for state in machine.observe(steady_s, holds):
            text = written(rule, source, best, state, len(found))
            if state == "ended":  # what began
                last = self._last[rule.name, source]
                best, text = last.detection, last.text
            one = Happening(rule, source, update["time_s"], state, text, best, update["frame"])
            self._last[rule.name, source] = one
            yield one

    def _machine(self, rule: Rule, source: str) -> Machine:
        key = (rule.name, source)
        if key not in self._machines:
            when = rule.when
            self._machines[key] = Machine(when.for_s, when.forgive_s, rule.cool_down_s)
        return self._machines[key]

    def _endings(
        self, changes: "Dict[Tuple[str, str], List[Change]]", time_s: float
    ) -> Iterator[Happening]:
        for key, ended in changes.items():
            for state in ended:
                last = self._last[key]
                yield Happening(
                    last.rule, last.source, time_s, state, last.text, last.detection, last.frame
                )
