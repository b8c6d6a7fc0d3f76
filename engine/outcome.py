"""The outcome of an attempt at a job: its record in the store, or the kind and reason of its failure.

Every driver uses this. It runs nothing.
"""

import errno
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import jobfolder
from engine.errors import UserError
from engine.foreach import base_of
from engine.jobfolder import Ended, JobFolder
from engine.plan import Job, ResolvedAsset
from engine.sealing import BadOutput
from engine.store import DISK_FAULTS, FOLDERS, Record, Store
from engine.vocabulary import FailureKind

# Measured: Python loops take 3 (arm64) to 9 times (arm/v7) as long under QEMU. Timeouts must allow for it.
EMULATED_TIMES = 10
NOT_ITS_FAULT: frozenset[FailureKind] = frozenset({"daemon_lost", "device_lost"})
TIMEOUT = "timeout"  # the reason for ending an attempt; other reasons are sentences

# These kinds apply whatever the stage passed to sys.exit; an executor guesses the others from the exit
# status or the log.
_WHATEVER_IT_CHOSE = NOT_ITS_FAULT | {"out_of_memory", "bad_output"}
_LEAST_FREE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed."""

    kind: FailureKind
    message: str
    is_on_request: bool = False  # the engine ended it, so that its log does not say why


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that has ended."""

    folder: JobFolder
    log: Path
    ended: Ended
    ending: str | None = None  # why the engine ended it
    reads: Mapping[str, str] = field(
        default_factory=dict
    )  # its inputs from other stages, name -> digest


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the attempts of one run."""

    store: Store
    assets: Mapping[str, ResolvedAsset]
    work: Path

    def outcome(self, attempt: Attempt) -> Record | Failure:
        """Commit the outputs of a successful attempt and return their record, or return the failure."""
        result = attempt.folder.result()
        changed = self._changed_inputs(attempt)
        if changed:  # a checkpoint may contain data read from them
            self.store.drop_checkpoint(str(attempt.folder.planned.fingerprint))
        if attempt.ending or attempt.ended.status != 0:
            return self._cause(attempt, result)
        if changed:
            message = (
                f"its input '{changed[0]}' changed while it ran; its outputs were discarded: leave it as it "
                "is, and let the code of the stage write elsewhere"
            )
            return Failure("input_changed", message)
        try:
            return attempt.folder.commit(
                self.store,
                result.get("metrics", {}),
                attempt.ended.seconds,
                result.get("measured_on", ""),
            )
        except BadOutput as error:
            return Failure("bad_output", f"{error}{_ended_early(attempt.folder.job, result)}")
        except OSError as error:
            return self._not_stored(error)

    def _not_stored(self, error: OSError) -> Failure:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return self._disk_full()
        if error.errno in DISK_FAULTS:
            what = f"the disk of {self.store.root} reports an error ({error.strerror})"
            return Failure("disk_error", f"{what}; check it and repeat the command")
        return Failure("bad_output", f"its outputs could not be stored: {error}")

    def _cause(self, attempt: Attempt, result: Mapping[str, object]) -> Failure:
        ended, chosen = attempt.ended, _chosen_status(result)
        if attempt.ending == TIMEOUT:
            return Failure("timeout", _too_late(attempt.folder.job))
        if attempt.ending:
            return Failure("killed", attempt.ending, is_on_request=True)
        is_full = "No space left on device" in jobfolder.log_tail(attempt.log)
        is_certain = ended.kind in _WHATEVER_IT_CHOSE or (ended.kind == "disk_full" and is_full)
        if ended.kind and (chosen is None or is_certain):
            return Failure(ended.kind, ended.why)
        if not attempt.folder.path.exists():
            return Failure("killed", "its work folder was removed while it ran")
        if is_full or shutil.disk_usage(self.work).free < _LEAST_FREE_BYTES:
            return self._disk_full()
        if chosen is not None:
            return Failure("failed", f"it ended with exit status {chosen}")
        return _by_status(ended.status, result)

    def _disk_full(self) -> Failure:
        folders = (self.work, *(self.store.root / name for name in FOLDERS))
        free = {folder: shutil.disk_usage(folder).free for folder in folders if folder.is_dir()}
        fullest = min(free, key=lambda folder: free[folder])  # they may be on different disks
        what = f"the disk is full: {free[fullest]:,} bytes are free at {fullest}"
        return Failure("disk_full", f"{what}; free space and repeat the command")

    def _changed_inputs(self, attempt: Attempt) -> list[str]:
        refs = [ref for ref in attempt.folder.job.inputs.values() if ref and ref.stage is None]
        assets = [str(ref) for ref in refs if not self._is_as_planned(self.assets[ref.name])]
        made = [name for name, digest in attempt.reads.items() if not self.store.is_whole(digest)]
        return assets + made

    def _is_as_planned(self, asset: ResolvedAsset) -> bool:
        try:
            return self.store.assets.of(asset.path) == asset.digest
        except UserError:  # it was removed, or can no longer be read
            return False


def timeout_s(job: Job) -> float | None:
    """Return the time limit of an attempt in seconds; None if it has no limit."""
    return job.spec.timeout and job.spec.timeout * (EMULATED_TIMES if job.placement.emulated else 1)


def _by_status(status: int | None, result: Mapping[str, object]) -> Failure:
    if status is None:
        return Failure("killed", "the executor lost its process")
    if status < 0:
        return Failure("killed", f"it was ended by signal {-status}")
    return Failure("failed", str(result.get("error") or f"it ended with exit status {status}"))


def _chosen_status(result: Mapping[str, object]) -> int | None:
    """Return the status that the stage passed to sys.exit.

    None if it did not call it, or if the reported status is impossible.
    """
    status = result.get("exit_status")
    return status if type(status) is int and 0 < status < 256 else None


def _ended_early(job: Job, result: Mapping[str, object]) -> str:
    """Return what to add to a bad output's message if the process ended before the stage returned."""
    if "module" not in job.contract.invoke or "metrics" in result:
        return ""
    return (
        "; its process ended before the stage returned, as after sys.exit() or os._exit(): remove such a "
        "call, so that the stage returns"
    )


def _too_late(job: Job) -> str:
    times = (
        f", {EMULATED_TIMES} times the YAML's value because it was emulated"
        if job.placement.emulated
        else ""
    )
    return (
        f"it did not end within its timeout of {timeout_s(job):g} s{times}; "
        f"to allow more time, add stages.{base_of(job.stage)}.timeout={2 * (job.spec.timeout or 0):.12g}s"
    )
