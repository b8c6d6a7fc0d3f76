"""A job as a folder: lays it out, reads what the stage said, and takes its outputs. Runs nothing."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.events import figure
from engine.plan import Job, Planned, ResolvedAsset
from engine.store import BadOutput, Record, Store

LOG_TAIL_LINES = 20
LOG_MOST, LOG_ENDS = 100_000_000, 1_000_000  # bytes of a log above which it is cut, and what is kept of each end then
READ_MOST = 8_000_000  # bytes of what a stage says that are read at once
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
               "OPENBLAS_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "0"}  # fmt: skip
"""The environment of every job, so that all executors give the same bytes."""
_SAID = {
    "progress": ("done", "total", "message"),
    "metric": ("name", "value", "step"),
    "note": ("text",),
}
_PLACEHOLDER = re.compile(r"\{(inputs|outputs|params)\.(\w+)\}")


@dataclass(frozen=True, slots=True)
class Launch:
    """A job folder that is laid out and ready to run."""

    job: Job
    folder: Path
    log: Path
    fingerprint: str = ""
    run: str = ""
    attempt: int = 1
    inputs: Mapping[str, Path | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's process ended: its exit status, or minus the signal; None: the executor lost it.

    kind and why: what the executor alone knows of a failure, such as a limit of memory that was reached.
    """

    stage: str
    status: int | None
    seconds: float
    kind: str = ""
    why: str = ""


@dataclass(slots=True)
class JobFolder:
    """One attempt at a job."""

    path: Path
    planned: Planned
    inputs: Mapping[str, Path | None]
    said: list[dict[str, Any]] = field(default_factory=list)
    _offset: int = 0

    @property
    def job(self) -> Job:
        """Return the job."""
        return self.planned.job

    def poll(self) -> list[dict[str, Any]]:
        """Return what the stage said since the last call, as events of the run; what is no event is left out."""
        try:
            with (self.path / "events.jsonl").open("rb") as file:
                file.seek(self._offset)
                data = file.read(READ_MOST)
        except FileNotFoundError:
            return []
        if len(data) < READ_MOST or b"\n" in data:  # a line of megabytes is no event: it is passed over
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        fresh = [event for line in data.splitlines() if (event := self._event(line))]
        self.said += fresh
        return fresh

    def result(self) -> dict[str, Any]:
        """Return the stage's own account: `metrics`, or `error`; empty where it left none."""
        try:
            found: dict[str, Any] = json.loads((self.path / "result.json").read_bytes())
            return found
        except (OSError, ValueError):
            return {}

    def commit(self, store: Store, metrics: Mapping[str, float], seconds: float) -> Record:
        """Put the outputs into the store; BadOutput where one is missing or is none."""
        job, planned = self.job, self.planned
        assert planned.fingerprint is not None and planned.parts is not None
        wanted = (job.signature.metrics or frozenset()) - job.signature.optional_metrics if job.signature else frozenset()
        missing = sorted(wanted - metrics.keys())
        if missing:
            raise BadOutput(f"the stage did not return its metric '{missing[0]}'")
        points = [[e["name"], e["step"], e["value"], e["time"]] for e in self.said if e["event"] == "metric"]
        figures = [figure(e) for e in self.said if e["event"] == "figure"]
        notes = [e["text"] for e in self.said if e["event"] == "note"]
        record = Record(planned.fingerprint, job.stage, planned.parts, {}, metrics, points, figures, notes, seconds,
                        job.place.platform, job.place.emulated, job.place.taken)  # fmt: skip
        return store.commit(record, {name: self.path / "out" / name for name in job.outputs})

    def _event(self, line: bytes) -> dict[str, Any] | None:
        """Return the event with the fields that it may have, and no more: `seq` and `v` are the journal's."""
        try:
            said = json.loads(line)
            fields = figure(said) if said["event"] == "figure" else {key: said[key] for key in _SAID[said["event"]]}
            return {"event": said["event"], "stage": self.job.stage, "time": float(said["time"]), **fields}
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def lay_out(
    path: Path, planned: Planned, digests: Mapping[str, Mapping[str, str]], assets: Mapping[str, ResolvedAsset], store: Store
) -> JobFolder:
    """Make the job's folder, with job.json and an empty out/; artifacts are read where the store keeps them."""
    job = planned.job
    (path / "out").mkdir(parents=True)
    inputs = {name: None if ref is None else assets[ref.name].path if ref.stage is None else store.path(digests[ref.stage][ref.name])
              for name, ref in job.inputs.items()}  # fmt: skip
    outputs = {name: path / "out" / name for name in job.outputs}
    (path / "job.json").write_text(json.dumps(_description(job, inputs, outputs)), encoding="utf-8")
    return JobFolder(path, planned, inputs)


def log_tail(log: Path) -> str:
    """Return the last lines of a log, however long it is or broken its text."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line[:500] for line in lines[-LOG_TAIL_LINES:])


def cut(log: Path) -> None:
    """Cut the middle out of a log that has become too long, while its stage goes on appending: no stage fills the disk with words."""
    with suppress(OSError):
        if (size := log.stat().st_size) <= LOG_MOST:
            return
        with log.open("r+b") as file:
            file.seek(size - LOG_ENDS)
            end = file.read(LOG_ENDS)
            file.truncate(LOG_ENDS)
            file.seek(LOG_ENDS)
            file.write(b"\n--- %d bytes were left out here: the log was too long\n" % (size - 2 * LOG_ENDS) + end)


def _description(job: Job, inputs: Mapping[str, Path | None], outputs: Mapping[str, Path]) -> dict[str, Any]:
    common = {
        "inputs": {k: str(v) if v else None for k, v in inputs.items()},
        "outputs": {k: str(v) for k, v in outputs.items()},
        "params": dict(job.params),
    }
    if job.signature:
        return {"module": job.signature.module, "function": job.signature.function, "taken": job.place.taken, **common}
    groups = {"inputs": inputs, "outputs": outputs, "params": job.params}
    return {"command": [_filled(word, groups) for word in job.spec.command or ()], **common}


def _filled(word: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Fill {inputs.x} and the like in, once: what a value holds stays as it is. The check has seen to it that each exists."""
    return _PLACEHOLDER.sub(lambda found: str(groups[found[1]][found[2]]), word)
