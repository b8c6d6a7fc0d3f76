"""The hub of the main process: one thread reads the pipeline's messages, applies the rules, and gives
everything to its readers. No reader, disk or network can delay it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, Optional, Sequence, Union

from stages.serving.events.counters import Counters
from stages.serving.events.rule import Rule
from stages.serving.events.rules import Happening, Rules
from stages.serving.events.subscription import Queue, Queues
from stages.serving.interfaces import (
    Event,
    Feed,
    Message,
    Reaction,
    SourceState,
    Update,
    WorkerState,
)

MOST_EVENTS = 1000  # kept in memory
POLL_S = 0.25  # the longest time until silence is noticed
Measure = Callable[[], Dict[str, float]]


class Hub:
    """What the main process knows; see stages.serving.interfaces.Hub."""

    def __init__(
        self,
        feed: Feed,
        rules: Sequence[Rule] = (),
        reactions: Iterable[Reaction] = (),
        measures: Iterable[Measure] = (),
        picture_name: Optional[Callable[[Event], str]] = None,  # of the events' snapshots
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.feed = feed
        self.rules = Rules(rules)
        self._reactions, self._measures = list(reactions), list(measures)
        self._steady, self._picture_name = steady, picture_name
        self._counters = Counters(feed.summary["task"])
        self._updates: Dict[str, Update] = {}
        self._states: Dict[Any, Union[SourceState, WorkerState]] = {}
        self._events: Deque[Event] = deque(maxlen=MOST_EVENTS)
        self._number = 0
        self._queues = Queues()
        self._lock = threading.Lock()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="hub", daemon=True)

    def start(self) -> Hub:
        """Begin to read the feed, in a thread of its own."""
        for one in self._reactions:
            one.start(self)
        self._thread.start()
        return self

    def close(self) -> None:
        """End the thread, and then every reaction; events that last end."""
        self._has_ended.set()
        if self._thread.is_alive():
            self._thread.join(10)
        for one in self._reactions:
            one.close()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def updates(self) -> Dict[str, Update]:
        """Return the last update of each source."""
        with self._lock:
            return dict(self._updates)

    def states(self) -> List[Union[SourceState, WorkerState]]:
        """Return the last state of each source and worker."""
        with self._lock:
            return list(self._states.values())

    def events(self, after: int = 0, most: int = 100) -> List[Event]:
        """Return events with a number above `after`, the oldest first."""
        with self._lock:
            return [one for one in self._events if one["number"] > after][:most]

    def counters(self) -> Dict[str, float]:
        """Return metrics by their Prometheus name, with labels; see counters.METRICS."""
        with self._lock:
            found = self._counters.values(list(self._states.values()), self._steady())
        found["serving_readers"] = len(self._queues)
        found["serving_readers_lost_total"] = self._queues.lost
        for measure in (*self._measures, *(one.counters for one in self._reactions)):
            found.update(measure())
        return {name: float(value) for name, value in found.items()}

    def subscribe(self, limit: int = 64) -> Queue:
        """Return a queue of everything that happens from now on; a slow reader loses the oldest."""
        return self._queues.open(limit)

    def attach(self, number: int, **files: Optional[str]) -> None:
        """Set the name of the `snapshot` or `clip` of an event, and send it again."""
        with self._lock:
            at = next((n for n, one in enumerate(self._events) if one["number"] == number), None)
            if at is None:
                return
            self._events[at] = {**self._events[at], **files}  # type: ignore[typeddict-item]
            event = self._events[at]
        self._queues.send(event)

    def detach(self, name: str) -> None:
        """Take a file that was removed from its event, and send that again."""
        with self._lock:
            events = list(self._events)
        for event in events:
            if name == event["snapshot"]:
                self.attach(event["number"], snapshot=None)
            elif name == event["clip"]:
                self.attach(event["number"], clip=None)

    def _follow(self) -> None:
        while not self._has_ended.is_set():
            for message in self.feed.messages(POLL_S):
                self._take(message)
            self._happen(self.rules.tick(self._steady(), time.time()))
        self._happen(self.rules.finish(time.time()))

    def _take(self, message: Message) -> None:
        happenings: List[Happening] = []
        with self._lock:
            if message["kind"] == "update":
                now_s = self._steady()
                self._updates[message["source"]] = message
                self._counters.take(message, now_s)
                happenings = self.rules.take(message, now_s - message["age_ms"] / 1000)
            elif message["kind"] == "source":
                self._states[message["source"],] = message
            else:
                self._states[message["wanted"], "worker"] = message
        for one in self._reactions:
            one.see(message)
        self._queues.send(message)
        self._happen(happenings)

    def _happen(self, happenings: Iterable[Happening]) -> None:
        """Number the events, and give them to all readers and reactions."""
        for one in happenings:
            with self._lock:
                self._number += 1
                event = self._event(one)
                self._events.append(event)
                self._counters.take_event(event)
            self._queues.send(event)
            for reaction in self._reactions:
                reaction.react(event, one)

    def _event(self, one: Happening) -> Event:
        event: Event = {
            "kind": "event",
            "number": self._number,
            "rule": one.rule.name,
            "source": one.source,
            "time_s": one.time_s,
            "state": one.state,
            "text": one.text,
            "detection": one.detection,
            "snapshot": None,
            "clip": None,
        }
        if self._picture_name and one.rule.do.snapshot and one.state == "began":
            event["snapshot"] = self._picture_name(event)
        return event
