"""Bounded queues between the hub and its readers, such as the streams of web pages and MQTT."""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable, Deque, Dict, List, Optional, Union

from stages.serving.interfaces import Event, Message

Item = Union[Message, Event]


class Queue:
    """A bounded queue of messages and events: a slow reader loses the oldest ones."""

    def __init__(self, limit: int, leave: Callable[[Queue], None]) -> None:
        self.lost = 0  # how many the reader lost
        self._waiting: Deque[Item] = deque(maxlen=max(1, limit))
        self._changed = threading.Condition()
        self._leave = leave

    def put(self, item: Item) -> None:
        """Append an item; never wait."""
        with self._changed:
            if len(self._waiting) == self._waiting.maxlen:
                self.lost += 1
            self._waiting.append(item)
            self._changed.notify()

    def get(self, timeout_s: float) -> Optional[Item]:
        """Return the next item, or None after the timeout."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Stop receiving."""
        self._leave(self)


class Queues:
    """All queues of a hub."""

    def __init__(self) -> None:
        self._open: Dict[int, Queue] = {}
        self._lock = threading.Lock()
        self._lost_before = 0  # by queues that are closed

    def open(self, limit: int) -> Queue:
        """Return a queue of everything that is sent from now on."""
        queue = Queue(limit, self._remove)
        with self._lock:
            self._open[id(queue)] = queue
        return queue

    def send(self, item: Item) -> None:
        """Append the item to every queue."""
        for queue in self._all():
            queue.put(item)

    @property
    def lost(self) -> int:
        """How many items all readers lost because they were slow."""
        return self._lost_before + sum(queue.lost for queue in self._all())

    def __len__(self) -> int:
        return len(self._open)

    def _all(self) -> List[Queue]:
        with self._lock:
            return list(self._open.values())

    def _remove(self, queue: Queue) -> None:
        with self._lock:
            if self._open.pop(id(queue), None):
                self._lost_before += queue.lost
