"""Runs as lists of events, for tests of their readers."""

from collections.abc import Mapping, Sequence
from typing import Any

START = 1_800_000_000.0
Events = list[dict[str, Any]]


def job(stage: str, inputs: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """One entry of run_started's jobs."""
    inputs = dict(inputs or {})
    needs = sorted({ref.split(".")[0] for ref in inputs.values() if not ref.startswith("asset:")})
    return {
        "stage": stage,
        "uses": f"stages.demo.{stage}",
        "doc": f"Make {stage}.",
        "inputs": inputs,
        "outputs": ["out"],
        "params": {},
        "platform": "linux/amd64",
        "runs_on": "build",
        "needs": needs,
        **more,
    }


class EventBuilder:
    """Writes a run's events with their envelope, a second apart."""

    def __init__(self) -> None:
        self.events: Events = []

    def add(self, event: str, **fields: Any) -> "EventBuilder":
        seq = len(self.events)
        self.events.append({"v": 1, "seq": seq, "time": START + seq, "event": event, **fields})
        return self

    def start(self, jobs: Sequence[Mapping[str, Any]], **more: Any) -> "EventBuilder":
        fields = {
            "run_id": "20270115-080000-abcd",
            "usecase": "demo",
            "target": "rpi4",
            "platform": "linux/arm64",
            "machine": "x86_64",
            "command": ["run.py", "usecase=demo", "target=rpi4"],
            "git_commit": "0123456789abcdef0123456789abcdef01234567",
            "params": {"epochs": 3},
            "objective": "train.accuracy",
            "assets": [],
            "jobs": list(jobs),
        }
        return self.add("run_started", **{**fields, **more})

    def cached(self, stage: str, **more: Any) -> "EventBuilder":
        fields: dict[str, Any] = {
            "fingerprint": "f" * 64,
            "outputs": {"out": "sha256:" + "0" * 64},
            "metrics": {},
            "points": [],
            "figures": [],
            "seconds": 12.5,
            "platform": "linux/amd64",
            "emulated": False,
            "measured_on": "x86_64",
        }
        return self.add("job_cached", stage=stage, **{**fields, **more})

    def started(self, stage: str, attempt: int = 1, **more: Any) -> "EventBuilder":
        fields: dict[str, Any] = {
            "fingerprint": "e" * 64,
            "log": f"logs/{stage}.log",
            "platform": "linux/amd64",
            "emulated": False,
            "measured_on": "x86_64",
        }
        return self.add("job_started", stage=stage, attempt=attempt, **{**fields, **more})

    def finished(
        self, stage: str, attempt: int = 1, seconds: float = 3.25, **metrics: float
    ) -> "EventBuilder":
        outputs = {"out": "sha256:" + "1" * 64}
        return self.add(
            "job_finished",
            stage=stage,
            attempt=attempt,
            seconds=seconds,
            outputs=outputs,
            metrics=metrics,
        )

    def failed(
        self, stage: str, attempt: int = 1, retry_in_s: float | None = None, **more: Any
    ) -> "EventBuilder":
        fields: dict[str, Any] = {
            "seconds": 2.0,
            "kind": "failed",
            "message": "exit status 1",
            "log": f"logs/{stage}.log",
            "log_tail": "loading\nValueError: no frames",
        }
        return self.add(
            "job_failed", stage=stage, attempt=attempt, retry_in_s=retry_in_s, **{**fields, **more}
        )

    def done(self, status: str = "finished", seconds: float = 42.0) -> "EventBuilder":
        return self.add("run_finished", status=status, seconds=seconds)
