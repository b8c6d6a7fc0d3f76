"""The progress of stages and the time that they still need, from the progress that they report."""

from dataclasses import dataclass, field

from engine.vocabulary import Event


@dataclass(slots=True)
class _Attempt:
    first: tuple[float, float] | None = None  # time and progress of the first report
    last: tuple[float, float] | None = None
    total: float = 0.0


@dataclass(slots=True)
class Pace:
    """The progress of the stages of one run."""

    _attempts: dict[str, _Attempt] = field(default_factory=dict)

    def show(self, event: Event) -> None:
        """Process the event; only the start and the progress of a stage count."""
        stage, now_s = event.get("stage") or "", event.get("time", 0.0)
        if event["event"] == "job_started":
            self._attempts[stage] = _Attempt()
        elif event["event"] == "progress" and stage in self._attempts:
            attempt = self._attempts[stage]
            attempt.first = attempt.first or (now_s, event["done"])
            attempt.last, attempt.total = (now_s, event["done"]), event["total"]

    def left_s(self, stage: str, now_s: float) -> float | None:
        """Return the seconds that the stage still needs at its current pace; None if unknown.

        The pace is measured from the first report, because starting up may take long.
        """
        attempt = self._attempts.get(stage)
        if attempt is None or attempt.first is None or attempt.last is None:
            return None
        since_s, before = attempt.first
        at_s, done = attempt.last
        if done <= before or at_s <= since_s or done >= attempt.total:
            return None
        left_s = (attempt.total - done) * (at_s - since_s) / (done - before)
        return max(0.0, left_s - (now_s - at_s))
