"""Says in the log what happens to sources and workers, so that a server without a viewer is not silent."""

from __future__ import annotations

import time
from typing import Callable, Dict, Tuple

from stages.serving.interfaces import Event, Happening, Hub, Message
from stages.serving.mistakes import visible

QUIET_S = 10.0  # between two lines about the same source; a camera may come and go every second
_GOOD = ("live", "ready")
_LAST = ("failed", "ended")  # nothing follows


class Changes:
    """A Reaction that reports a change of status, and what is wrong; what starts well is not worth a line."""

    def __init__(
        self,
        say: Callable[[str], None],
        steady: Callable[[], float] = time.monotonic,
        quiet_s: float = QUIET_S,
        is_stopping: Callable[[], bool] = bool,  # bool() is False
    ) -> None:
        self._say, self._steady, self._quiet_s = say, steady, quiet_s
        self._is_stopping = is_stopping
        self._said: Dict[str, Tuple[float, str]] = {}  # name -> when, and which status

    def start(self, hub: Hub) -> None:
        """Do nothing: it needs only messages."""

    def see(self, message: Message) -> None:
        """Report a status that differs from the one that was reported last, unless the server stops."""
        if message["kind"] == "update" or message["status"] == "starting" or self._is_stopping():
            return
        name = message["source"] if message["kind"] == "source" else f"model on {message['wanted']}"
        status, now_s = message["status"], self._steady()
        then_s, before = self._said.get(name, (float("-inf"), ""))
        if not before and status in _GOOD:
            self._said[name] = (float("-inf"), status)
        elif status != before and (status in _LAST or now_s - then_s >= self._quiet_s):
            self._said[name] = (now_s, status)
            why = f": {message['why']}" if message["why"] else ""
            self._say(visible(f"{name}: {status}{why}"))

    def react(self, event: Event, happening: Happening) -> None:
        """Do nothing: events are not about the server's state."""

    def counters(self) -> Dict[str, float]:
        return {}

    def close(self) -> None:
        """Do nothing."""
