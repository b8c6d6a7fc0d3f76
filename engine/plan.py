"""The use case resolved against a target: its jobs, and whether each one is cached.

Starts nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import fingerprint as fingerprints
from engine.contract import Contract
from engine.foreach import base_of
from engine.graph import Dag, Reference
from engine.placement import Placement
from engine.spec import BestJob, StageSpec
from engine.store import Record, Store
from engine.target import Target
from engine.vocabulary import Direction


@dataclass(frozen=True, slots=True)
class ResolvedAsset:
    """An asset of this run, on the disk and digested."""

    key: str
    name: str  # the name of its YAML, or the path
    path: Path
    digest: str
    licence: str | None
    source: str
    sample: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A stage with everything resolved except the digests of inputs that do not exist yet."""

    stage: str
    spec: StageSpec
    contract: Contract
    inputs: Mapping[str, Reference | None]
    outputs: tuple[str, ...]
    params: Mapping[str, object]
    placement: Placement

    @property
    def needs(self) -> list[str]:
        """Return the stages whose outputs this one reads."""
        refs = [ref for ref in self.inputs.values() if ref]
        return list(dict.fromkeys(stage for ref in refs for stage in ref.stages))

    @property
    def uses(self) -> str:
        """Return a description of what the stage runs."""
        return self.contract.label

    def parts(self, digests: Mapping[str, str | None]) -> fingerprints.Parts:
        """Return the parts of the fingerprint, given the digests of the inputs."""
        environment = {**self.placement.environment, "platform": self.placement.platform}
        if (
            self.spec.runs_on == "target"
        ):  # an emulated figure must not replace the device's, nor a PC's figure a Pi's
            environment["measured_on"] = self.placement.measured_on
        parameter = {
            **self.params,
            "outputs": list(self.outputs),
            **{f"env {k}": v for k, v in self.spec.env.items()},
        }
        parameter |= {
            f"pass_env {name}": True for name in self.spec.pass_env
        }  # their values may be secrets
        return {
            "source": dict(self.contract.sources),
            "parameter": parameter,
            "input": digests,
            "environment": environment,
        }


@dataclass(frozen=True, slots=True)
class Planned:
    """A job, and whether it must run."""

    job: Job
    fingerprint: str | None  # None: an input does not exist yet
    parts: fingerprints.Parts | None
    record: Record | None  # the store's record, if it is cached
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs of a run, and which of them must run."""

    usecase: str
    target: Target
    params: Mapping[str, object]
    objective: str | None  # the first one
    assets: Mapping[str, ResolvedAsset]
    jobs: Mapping[str, Planned]  # in a valid order
    graph: Dag
    notes: tuple[str, ...]
    # stage with foreach -> how many stages it expands to, including those that this run leaves out
    values: Mapping[str, int] = field(default_factory=dict)
    forced: frozenset[str] = frozenset()  # stages that run although they are cached
    # stages whose `when` does not hold, each with the reason
    left_out: Mapping[str, str] = field(default_factory=dict)
    # every objective, the first one first -> its direction; None: its gate or its name decides
    objectives: Mapping[str, Direction | None] = field(default_factory=dict)
    best: BestJob = field(default_factory=BestJob)  # the rule that chooses the best job of a sweep

    @property
    def to_run(self) -> list[Planned]:
        """Return the jobs that are not cached, in their order."""
        return [one for one in self.jobs.values() if one.record is None]


def settle(
    job: Job,
    outputs: Mapping[str, Mapping[str, str]],
    assets: Mapping[str, ResolvedAsset],
    store: Store,
    forced: Collection[str] = (),
) -> Planned:
    """Compute the job's fingerprint, if its inputs are known, and look it up in the store.

    outputs: stage -> output -> digest. forced: stages that run although they are cached.
    """
    missing = [stage for stage in job.needs if stage not in outputs]
    if missing:
        return Planned(job, None, None, None, f"waits for {missing[0]}")
    digests = {name: _digest(ref, outputs, assets) for name, ref in job.inputs.items()}
    parts = job.parts(digests)
    key = fingerprints.fingerprint(parts)
    if job.stage in forced:
        return Planned(job, key, parts, None, "forced to run again")
    record = store.find(key)
    if record:
        return Planned(job, key, parts, record, "in the store")
    damaged = store.record(key) is not None
    return Planned(
        job,
        key,
        parts,
        None,
        "its artifact in the store is damaged or missing" if damaged else "not in the store",
    )


def _digest(
    ref: Reference | None,
    outputs: Mapping[str, Mapping[str, str]],
    assets: Mapping[str, ResolvedAsset],
) -> str | None:
    if ref is None:
        return None
    if ref.each:
        return fingerprints.of_entries(
            {value: outputs[one][ref.name] for value, one in ref.members.items()}
        )
    return outputs[ref.stage][ref.name] if ref.stage else assets[ref.name].digest


def settle_all(
    jobs: Mapping[str, Job],
    assets: Mapping[str, ResolvedAsset],
    store: Store,
    forced: Collection[str] = (),
) -> dict[str, Planned]:
    """Look up the jobs in order, each with the outputs of those before it."""
    planned: dict[str, Planned] = {}
    outputs: dict[str, Mapping[str, str]] = {}
    for name, job in jobs.items():
        planned[name] = settle(job, outputs, assets, store, forced)
        record = planned[name].record
        if record:
            outputs[name] = record.outputs
    return planned


def from_device_on(jobs: Mapping[str, Job], target: Target) -> frozenset[str]:
    """Return the stages that run on the target's device, and all that need them.

    jobs: in a valid order. A cluster cannot run these stages, because it does not reach the device.
    """
    found: set[str] = set()
    for name, job in jobs.items():
        is_on_device = job.spec.runs_on == "target" and target.device is not None
        if is_on_device or found.intersection(job.needs):
            found.add(name)
    return frozenset(found)


def describe(plan: Plan) -> list[dict[str, object]]:
    """Return the jobs in the form of the event `run_started`."""
    return [
        {**_described(name, planned.job), "values": plan.values.get(base_of(name), 1)}
        for name, planned in plan.jobs.items()
    ]


def _described(name: str, job: Job) -> dict[str, object]:
    return {
        "stage": name,
        "uses": job.uses,
        "doc": " ".join(job.contract.doc.partition("\n\n")[0].split()),
        "inputs": {key: str(ref) for key, ref in job.inputs.items() if ref},
        "outputs": list(job.outputs),
        "params": dict(job.params),
        "platform": job.placement.platform,
        "runs_on": job.spec.runs_on,
        "needs": job.needs,
        **({"formerly": job.spec.formerly} if job.spec.formerly else {}),
    }
