"""What waits to be published over MQTT. Bounded: a newer state replaces an older one of its topic, and of
too many events the oldest are lost.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, Optional, Union

MOST_EVENTS = 200
Payload = Union[str, bytes]


@dataclass(frozen=True)
class Letter:
    """One message to the broker."""

    topic: str
    payload: Payload
    is_retained: bool


class Outbox:
    """Retained states, which are sent again after each connection, and events, which are sent once."""

    def __init__(self, most_events: int = MOST_EVENTS) -> None:
        self.lost = 0  # events
        self._states: Dict[str, Payload] = {}
        self._changed: Dict[str, None] = {}  # topics whose state was not sent, in order
        self._events: Deque[Letter] = deque(maxlen=most_events)
        self._is_filled = threading.Condition()

    def keep(self, topic: str, payload: Payload) -> None:
        """Set the retained state of a topic."""
        with self._is_filled:
            if self._states.get(topic) != payload:
                self._states[topic] = payload
                self._changed[topic] = None
                self._is_filled.notify()

    def send(self, topic: str, payload: Payload) -> None:
        """Append an event."""
        with self._is_filled:
            self.lost += len(self._events) == self._events.maxlen
            self._events.append(Letter(topic, payload, False))
            self._is_filled.notify()

    def repeat(self) -> None:
        """Send all states again: the broker may have forgotten them."""
        with self._is_filled:
            self._changed = dict.fromkeys(self._states)
            self._is_filled.notify()

    def next(self, timeout_s: float) -> Optional[Letter]:
        """Return and remove the next message, states first; None after the timeout."""
        with self._is_filled:
            if not self._changed and not self._events:
                self._is_filled.wait(timeout_s)
            if self._changed:
                topic = next(iter(self._changed))
                del self._changed[topic]
                return Letter(topic, self._states[topic], True)
            return self._events.popleft() if self._events else None

    def __len__(self) -> int:
        return len(self._changed) + len(self._events)
