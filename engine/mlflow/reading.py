"""Reads a run's journal in steps of bounded size, with the run's state after each event.

A curve may have millions of points, so only the last point of each is kept.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from engine import journal
from engine.events import RunState, StageState, replay
from engine.vocabulary import Event

STEP_BYTES = 1_000_000
_LastPoints = dict[str, tuple[str, int, float, float]]  # by name


class Reader:
    """Reads a journal as it grows, and holds the run's state so far."""

    def __init__(self, run_dir: Path) -> None:
        self._follower = journal.Follower(run_dir / journal.FILE_NAME)
        self._last: dict[str, _LastPoints] = {}  # by stage
        self.state = RunState()
        self.seq = -1

    @property
    def is_ended(self) -> bool:
        """Return whether the journal shows that the run is over."""
        return self.state.status != "running"

    @property
    def damage(self) -> str:
        """Return why the journal cannot be read to its end; empty if it can."""
        return self._follower.damage

    def step(self) -> Iterator[Event]:
        """Yield the next events, while the state is that after each; none at the journal's present
        end.
        """
        for event in self._follower.poll(STEP_BYTES):
            self.seq = event["seq"]
            replay([event], self.state)
            stage = self.state.stages.get(event.get("stage") or "")
            if stage is not None:
                self._keep_last(event, stage)
            if stage is not None or event.get("stage") is None:
                yield event
            if stage is not None:
                stage.points, stage.figures = [], []

    def read_to_end(self) -> None:
        """Read everything that is there, only for the state."""
        before = -2
        while before != self.seq:
            before = self.seq
            deque(self.step(), maxlen=0)

    def _keep_last(self, event: Event, stage: StageState) -> None:
        last = self._last.setdefault(stage.name, {})
        if event["event"] == "metric":
            last[event["name"]] = stage.points[-1]
        elif event["event"] == "job_started":
            last.clear()
        elif event["event"] == "job_finished":
            stage.points = list(last.values())
