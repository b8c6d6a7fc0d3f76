"""A job as a folder: lays it out, reads the stage's reports, and collects its outputs. It runs nothing.

The stage may do anything to the folder, and the engine has more rights than a container. The contents
are therefore accessed through handles that were opened when the folder was created, and everything
in it is validated.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import eventschema, handles
from engine.contract import Contract, OwnFiles
from engine.events import figure
from engine.plan import Job, Planned, ResolvedAsset
from engine.sealing import BadOutput
from engine.stage.placeholders import filled
from engine.store import DISK_FAULTS, Record, Store
from engine.vocabulary import FailureKind
from engine.wording import plural

LOG_TAIL_LINES = 20
LOG_MOST, LOG_ENDS = (
    100_000_000,
    1_000_000,
)  # a log above the first size, in bytes, is cut; the second size is kept of each end
PROJECT = "project"  # of a job's folder: its own copy of files
PARTS = "parts"  # of a work folder: inputs that are made for one command
READ_MOST = 8_000_000  # bytes of a stage's reports that are read at once
EVENTS_MOST, EVENTS_MOST_BYTES = (
    100_000,
    64_000_000,
)  # limits on all reports of a stage; the rest is not read
RESULT_MOST_BYTES = 8_000_000
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # an error of an operation is raised as an exception too
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
"""The environment of every job, so that all executors produce the same bytes."""
Identities = Mapping[str, tuple[int, int]]  # device and inode of a job's folder (".") and its out/


@dataclass(frozen=True, slots=True)
class Launch:
    """A job folder that is laid out and ready to run."""

    job: Job
    folder: Path
    log: Path
    fingerprint: str = ""
    run_id: str = ""
    attempt: int = 1
    inputs: Mapping[str, Path | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # the executor's messages about the stage
    adopted: Callable[[], None] = lambda: (
        None
    )  # called when the folder of an ended engine replaces it
    gpus: tuple[str, ...] = ()  # the ids of the GPUs that it may use


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's process ended: its exit status, or minus the signal; None: the executor lost it.

    kind and why: what only the executor knows about a failure, such as a memory limit that was reached.
    """

    stage: str
    status: int | None
    seconds: float
    kind: FailureKind | None = None
    why: str = ""


@dataclass(slots=True)
class JobFolder:
    """One attempt at a job."""

    path: Path
    planned: Planned
    inputs: Mapping[str, Path | None]
    notes: list[str] = field(
        default_factory=list
    )  # from the executor and from this object, until they are read
    received: list[dict[str, Any]] = field(default_factory=list)
    _made: Identities = field(default_factory=dict)  # the folder and its out/, as created
    _offset: int = 0
    _count: int = 0
    _has_stopped_reading: bool = (
        False  # reports are no longer read: too many, or events.jsonl was replaced
    )
    _refused: int = 0
    _first_refusal: str = ""

    @property
    def job(self) -> Job:
        """Return the job."""
        return self.planned.job

    def poll(self, *, to_the_end: bool = False) -> list[dict[str, object]]:
        """Return the stage's reports since the last call, as events of the run.

        At the end, a note says what was left out.
        """
        fresh: list[dict[str, object]] = []
        while not self._has_stopped_reading:
            data = self._more()
            fresh += [event for line in data.splitlines() if (event := self._event(line))]
            if not (data and to_the_end):
                break
        if to_the_end and self._refused:
            self.notes.append(
                f"{plural(self._refused, 'report')} left out as invalid: {self._first_refusal}"
            )
        fresh += [self._note(text) for text in self.notes]
        self.notes.clear()
        self.received += fresh
        return fresh

    def result(self) -> dict[str, Any]:
        """Return the stage's own result: `metrics`, `error`, `exit_status`.

        Empty if it left none, or an invalid one.
        """
        try:
            with handles.folder(self.path) as folder:
                return eventschema.result(
                    json.loads(handles.read("result.json", RESULT_MOST_BYTES, at=folder))
                )
        except (OSError, ValueError, RecursionError):
            return {}

    def commit(
        self, store: Store, metrics: Mapping[str, float], seconds: float, measured_on: str = ""
    ) -> Record:
        """Put the outputs into the store; raise BadOutput if one is missing or invalid.

        measured_on: where the metrics were measured, if the job ran elsewhere.
        """
        job, planned = self.job, self.planned
        assert planned.fingerprint is not None and planned.parts is not None
        wanted = (job.contract.metrics or frozenset()) - job.contract.optional_metrics
        missing = sorted(wanted - metrics.keys())
        if missing:
            raise BadOutput(f"the stage did not return its metric '{missing[0]}'")
        points = [
            [e["name"], e["step"], e["value"], e["time"]]
            for e in self.received
            if e["event"] == "metric"
        ]
        figures = [figure(e) for e in self.received if e["event"] == "figure"]
        notes = [e["text"] for e in self.received if e["event"] == "note"]
        record = Record(
            planned.fingerprint,
            job.stage,
            planned.parts,
            {},
            metrics,
            points,
            figures,
            notes,
            seconds,
            job.placement.platform,
            job.placement.emulated,
            measured_on or job.placement.measured_on,
        )
        private = self.path.with_name(f"{self.path.name}.out")
        try:
            return store.commit(record, take_out(self.path, self._made, job.contract, private))
        finally:
            handles.remove(private)

    def adopt(self) -> None:
        """Adopt the folder that is now at the path as the job's own: an ended engine made it, and its
        stage may still be running.
        """
        try:
            self._made = identities(self.path)
        except OSError:  # its out/ is gone: nothing of it will be used
            self._made = {}

    def _more(self) -> bytes:
        """Return the next complete lines of events.jsonl.

        A line of several megabytes is not an event, and is ignored.
        """
        try:
            with (
                handles.folder(self.path) as folder,
                open(handles.open_file("events.jsonl", at=folder), "rb") as file,
            ):
                file.seek(self._offset)
                data = file.read(READ_MOST)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self._has_stopped_reading = True
            self.notes.append(f"its events can no longer be read: {error.strerror}")
            return b""
        if len(data) < READ_MOST or b"\n" in data:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        self._count += data.count(b"\n")
        if self._offset > EVENTS_MOST_BYTES or self._count > EVENTS_MOST:
            self._has_stopped_reading = True
            most = f"{EVENTS_MOST:,} events, or {EVENTS_MOST_BYTES / 1e6:.0f} MB"
            self.notes.append(f"it reported more than {most}; the rest is left out")
        return data

    def _event(self, line: bytes) -> dict[str, object] | None:
        """Return the event, reduced to its allowed fields: the journal sets `seq` and `v`."""
        try:
            return {"stage": self.job.stage, **eventschema.report(json.loads(line))}
        except (ValueError, RecursionError) as error:
            self._refused += 1
            self._first_refusal = self._first_refusal or f"{error}"[:200]
            return None

    def _note(self, text: str) -> dict[str, object]:
        return {"event": "note", "stage": self.job.stage, "text": text, "time": time.time()}


def lay_out(
    path: Path,
    planned: Planned,
    digests: Mapping[str, Mapping[str, str]],
    assets: Mapping[str, ResolvedAsset],
    store: Store,
) -> JobFolder:
    """Make the job's folder, with job.json and an empty out/.

    Artifacts are read in the store, not copied.
    """
    job = planned.job
    (path / "out").mkdir(parents=True)
    inputs: dict[str, Path | None] = {}
    for name, ref in job.inputs.items():
        if ref is None:
            inputs[name] = None
        elif ref.each:
            entries = {
                value: store.path(digests[one][ref.name]) for value, one in ref.members.items()
            }
            inputs[name] = _folder_input(path / "in" / name, entries)
        elif ref.stage:
            inputs[name] = store.path(digests[ref.stage][ref.name])
        else:
            inputs[name] = assets[ref.name].path
    if job.contract.files:
        copy_files(job.contract.files, path / PROJECT)
    outputs = {name: path / "out" / job.contract.file_of(name) for name in job.outputs}
    description = _description(job, inputs, outputs)
    if planned.fingerprint:
        checkpoint = store.checkpoint(planned.fingerprint)
        if checkpoint.is_symlink() or (checkpoint.exists() and not checkpoint.is_dir()):
            handles.remove(checkpoint)  # an earlier attempt put something else there
        description["checkpoint"] = str(checkpoint)
    (path / "job.json").write_text(json.dumps(description), encoding="utf-8")
    return JobFolder(path, planned, inputs, _made=identities(path))


def copy_files(files: OwnFiles, folder: Path) -> None:
    """Give the job its own copy of the files. The job checks their digests, as it may not run at once."""
    folder.mkdir()
    for name in files.digests:
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the job reports it
            shutil.copy(files.folder / name, copy)


def linked(launch: Launch) -> list[Path]:
    """Return the artifacts that the links in the job's folder inputs point to."""
    folders = [
        path for path in launch.inputs.values() if path and path.parent == launch.folder / "in"
    ]
    return [entry.readlink() for folder in folders for entry in sorted(folder.iterdir())]


def is_passing(launch: Launch, path: Path) -> bool:
    """Return whether only this command uses the input, such as a part of a user's folder."""
    return path.is_relative_to(launch.folder.parent / PARTS)


def _folder_input(folder: Path, entries: Mapping[str, Path]) -> Path:
    """Make the read-only folder of an input such as `build@*.image`, with one link per entry."""
    folder.mkdir(parents=True)
    for name, artifact in entries.items():
        (folder / name).symlink_to(artifact)
    folder.chmod(0o555)
    return folder


def take_out(path: Path, made: Identities, contract: Contract, private: Path) -> dict[str, Path]:
    """Move only the outputs to a new folder that the stage cannot reach, and return their paths.

    Outputs that the stage did not write are left out. Raise BadOutput if the job's folder or its out/
    is not the original one.
    """
    private.mkdir(mode=0o700)
    try:
        with handles.folder(path) as folder, handles.folder("out", at=folder) as out:
            if {".": _identity(folder), "out": _identity(out)} != made:
                raise BadOutput("its folder out/ was replaced")
            for name in map(contract.file_of, contract.outputs):
                handles.make_writable(
                    name, at=out
                )  # moving a folder writes to it: its `..` changes
                with suppress(FileNotFoundError):
                    os.rename(name, private / name, src_dir_fd=out)
    except OSError as error:
        if error.errno in DISK_FAULTS:
            raise
        raise BadOutput(f"its folder out/ cannot be read: {error.strerror}") from None
    return {name: private / contract.file_of(name) for name in contract.outputs}


def open_log(log: Path) -> None:
    """Make sure that the log is a file that can be appended to; remove anything else at its path."""
    try:
        handles.append(log, b"")
    except OSError:
        handles.remove(log)
        handles.append(log, b"")


def log_tail(log: Path) -> str:
    """Return the last lines of a log of any length and any encoding."""
    try:
        with open(handles.open_file(log), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 16_384))
            lines = file.read(16_384).decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line[:500] for line in lines[-LOG_TAIL_LINES:])


def cut(log: Path) -> None:
    """Cut the middle out of a log that is too long, while its stage keeps appending: a log must not
    fill the disk.
    """
    with suppress(OSError), open(handles.open_file(log, os.O_RDWR), "r+b") as file:
        if (size := os.fstat(file.fileno()).st_size) <= LOG_MOST:
            return
        file.seek(size - LOG_ENDS)
        end = file.read(LOG_ENDS)
        file.truncate(LOG_ENDS)
        file.seek(LOG_ENDS)
        file.write(
            b"\n--- %d bytes were left out here: the log was too long\n" % (size - 2 * LOG_ENDS)
            + end
        )


def identities(path: Path) -> Identities:
    """Return the identities by which a replaced job folder or out/ is detected."""
    with handles.folder(path) as folder, handles.folder("out", at=folder) as out:
        return {".": _identity(folder), "out": _identity(out)}


def _identity(handle: int) -> tuple[int, int]:
    facts = os.fstat(handle)
    return facts.st_dev, facts.st_ino


def _description(
    job: Job, inputs: Mapping[str, Path | None], outputs: Mapping[str, Path]
) -> dict[str, object]:
    groups = {"inputs": inputs, "outputs": outputs, "params": job.params}
    invoke = dict(job.contract.invoke)
    if "command" in invoke:
        invoke["command"] = [filled(word, groups) for word in invoke["command"]]
    return {
        **invoke,
        "measured_on": job.placement.measured_on,
        "inputs": {k: str(v) if v else None for k, v in inputs.items()},
        "outputs": {k: str(v) for k, v in outputs.items()},
        "params": dict(job.params),
    }
