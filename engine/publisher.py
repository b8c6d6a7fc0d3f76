"""Publishes a finished job, for every driver: lays out its outputs for the user, and evaluates its
gates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import handles
from engine.events import Gate, JobCached
from engine.plan import Job
from engine.stage.rules import holds
from engine.store import Record, Store


@dataclass(frozen=True, slots=True)
class Publisher:
    """Lays out the outputs of one run for its user, from the store."""

    store: Store
    run_dir: Path

    def publish(self, job: Job, record: Record) -> list[Gate]:
        """Lay the outputs out below artifacts/, and return the result of each gate."""
        for output, digest in record.outputs.items():
            destination = self.run_dir / "artifacts" / job.stage / job.contract.file_of(output)
            handles.remove(destination)
            self.store.materialise(digest, destination)
        return [
            _gate(job, metric, rule, record.metrics) for metric, rule in job.spec.require.items()
        ]


def is_rejected(gates: list[Gate]) -> bool:
    """Return whether a gate failed; one that could not be evaluated did not."""
    return any(gate["passed"] is False for gate in gates)


def cached(stage: str, record: Record) -> JobCached:
    """Return the event for a stage whose outputs come from the store."""
    return JobCached(
        event="job_cached",
        stage=stage,
        fingerprint=record.fingerprint,
        outputs=dict(record.outputs),
        metrics=dict(record.metrics),
        points=record.points,
        figures=record.figures,
        notes=record.notes,
        seconds=record.seconds,
        platform=record.platform,
        emulated=record.emulated,
        measured_on=record.measured_on,
    )


def _gate(job: Job, metric: str, rule: str, metrics: Mapping[str, float]) -> Gate:
    value = metrics.get(metric)
    return Gate(
        event="gate",
        stage=job.stage,
        metric=metric,
        rule=rule,
        value=value,
        passed=holds(value, rule),
    )
