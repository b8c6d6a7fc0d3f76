"""Changes for pages: what the hub knows, looked at ten times a second while somebody watches, and encoded
once for all viewers.

A viewer gets the newest update of each source and every event, so it cannot fall behind: what a slow one
misses is replaced by something newer. There is nothing to queue.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Dict, Hashable, List, Optional, Tuple

from stages.serving.web.numbers import Recent, numbers_of
from stages.serving.web.response import encode

if TYPE_CHECKING:
    from stages.serving.interfaces import Hub

PERIOD_S = 0.1
NUMBERS_S = 2.0  # also how often a quiet stream shows that it is alive
RETRY_MS = 2000
RECENT_EVENTS = 20  # whose clips may still be written


class Changes:
    """The last change of each thing, as text for server-sent events, with its place in the order.

    boot: names this start of the server; with each, the numbers of events begin again.
    """

    def __init__(self, hub: Hub) -> None:
        self.metrics = Recent(hub)
        self.boot = secrets.token_hex(4)
        self.last_event = 0
        self.viewers = 0
        self._hub = hub
        self._order = 0
        self._found: Dict[Hashable, Tuple[int, bytes]] = {}
        self._versions: Dict[Hashable, Any] = {}
        self._clips: Dict[int, Optional[str]] = {}  # of recent events
        self._looked_s = self._numbers_s = float("-inf")

    def look(self) -> None:
        """Look at the hub, unless that has just been done."""
        now_s = time.monotonic()
        if now_s - self._looked_s < PERIOD_S / 2:
            return
        self._looked_s = now_s
        for update in self._hub.updates().values():
            version = (update["frame"], update["time_s"])
            self._put(("update", update["source"]), "update", update, version)
        for state in self._hub.states():
            name = state["source"] if state["kind"] == "source" else state["wanted"]
            self._put((state["kind"], name), state["kind"], state, state)
        while found := self._hub.events(after=self.last_event):
            self.last_event = found[-1]["number"]
        if now_s - self._numbers_s >= NUMBERS_S:
            self._numbers_s = now_s
            self._put(
                "numbers",
                "numbers",
                {**numbers_of(self.metrics.values()), "time_s": time.time()},
                now_s,
            )
            self._look_at_clips()

    def since(self, order: int) -> Tuple[int, List[bytes]]:
        """Return the changes after a place in the order, and the new place."""
        new = sorted(found for found in self._found.values() if found[0] > order)
        return self._order, [text for _, text in new]

    def events(self, after: int) -> Tuple[int, List[bytes]]:
        """Return the events after a number, and the number of the last one."""
        texts = []
        if self.last_event > after:
            for event in self._hub.events(after=after):
                after = event["number"]
                texts.append(_text("event", event, f"{self.boot}.{after}"))
        return after, texts

    def place(self, text: str) -> int:
        """Return the number of the last event that a viewer has seen, from an identifier of ours."""
        boot, _, number = text.partition(".")
        if not text:
            return self.last_event
        return int(number) if boot == self.boot and number.isdecimal() and len(number) < 16 else 0

    def _look_at_clips(self) -> None:
        """Send events again whose clip has become complete."""
        recent = self._hub.events(after=max(0, self.last_event - RECENT_EVENTS))
        clips = {event["number"]: event["clip"] for event in recent}
        for event in recent:
            if event["clip"] and self._clips.get(event["number"], event["clip"]) is None:
                self._put(("event", event["number"]), "event", event, event["clip"])
        self._clips = clips

    def _put(self, key: Hashable, name: str, data: Any, version: Any) -> None:
        if self._versions.get(key) != version:
            self._versions[key] = version
            self._order += 1
            self._found[key] = (self._order, _text(name, data))


class Stream:
    """One viewer's server-sent events; a body of a response."""

    def __init__(self, changes: Changes, after: str) -> None:
        self._changes = changes
        changes.viewers += 1
        changes.look()
        self._order, self._number = 0, changes.place(after)
        hello = _text("hello", {"boot": changes.boot, "events": self._number})
        self._first = f"retry: {RETRY_MS}\n\n".encode() + hello

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        end_s = time.monotonic() + NUMBERS_S
        while True:
            if not first:
                await asyncio.sleep(PERIOD_S)
            self._changes.look()
            self._order, texts = self._changes.since(self._order)
            self._number, events = self._changes.events(self._number)
            if first or texts or events:
                return first + b"".join(texts + events)
            if time.monotonic() > end_s:
                return b": nothing new\n\n"

    async def aclose(self) -> None:
        self._changes.viewers -= 1


def _text(name: str, data: Any, number: str = "") -> bytes:
    """Return one server-sent event; JSON has no line breaks."""
    start = f"id: {number}\n" if number else ""
    return f"{start}event: {name}\ndata: ".encode() + encode(data) + b"\n\n"
