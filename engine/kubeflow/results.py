"""Fetches what the cluster's tasks wrote into ordinary job folders: an executor whose jobs have ended
elsewhere. `engine/attempts.py` then checks, commits and reports them as it does for every executor.
"""

import errno
import json
import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import handles
from engine.errors import UserError
from engine.jobfolder import Ended, Launch
from engine.kubeflow import failures
from engine.kubeflow.failures import Told
from engine.kubeflow.following import Task
from engine.kubeflow.logs import Logs
from engine.kubeflow.reports import Report, Reports
from engine.plan import Planned
from engine.store import DISK_FAULTS

AT_ONCE = 4  # fetches


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the driver knows about a job before it is fetched."""

    task: Task
    run_id: str | None  # of the cluster, in which the task ended; None: any
    is_forced: bool
    reads: Mapping[str, str]  # its inputs from other stages, and their digests here


@dataclass(slots=True)
class Results:
    """The executor of a cluster's finished tasks."""

    reports: Reports
    logs: Logs | None = None
    expected: dict[str, Expected] = field(default_factory=dict)
    _over: "queue.SimpleQueue[Ended]" = field(default_factory=queue.SimpleQueue)
    _running: set[str] = field(default_factory=set)
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    why_chosen = ""

    def expect(self, stage: str, expected: Expected) -> None:
        """Say how a stage ended on the cluster; call it before the launch."""
        self.expected[stage] = expected

    def launch(self, launch: Launch) -> None:
        """Start to fetch the job."""
        self._running.add(launch.job.stage)
        # a daemon, because a second Ctrl-C does not wait for a transfer
        threading.Thread(target=self._run, args=(launch,), daemon=True).start()

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return a job that was fetched; wait for one up to the timeout."""
        try:
            ended = self._over.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if ended.stage not in self._running:
            return []  # it was given up meanwhile
        self._running.discard(ended.stage)
        return [ended]

    def terminate(self, stage: str, *, force: bool) -> None:
        """Give up fetching a job, if by force; otherwise it is short enough to be waited for."""
        if force and stage in self._running:
            self._over.put(Ended(stage, None, 0.0))

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Do nothing: a killed engine leaves no processes of a fetch."""

    def _run(self, launch: Launch) -> None:
        with self._slots:
            self._over.put(self._ended(launch))

    def _ended(self, launch: Launch) -> Ended:
        stage = launch.job.stage
        expected = self.expected[stage]
        try:
            return self._fetched(launch, expected)
        except UserError as error:
            what = f"its result could not be fetched: {error.where}: {error.what}; {error.fix}"
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return Ended(
                    stage, None, 0.0, "disk_full", "the disk is full: its result does not fit"
                )
            if error.errno in DISK_FAULTS:
                return Ended(
                    stage, None, 0.0, "disk_error", f"its result cannot be stored: {error}"
                )
            what = f"its result could not be fetched: {error.strerror or error}"
        except Exception as error:  # a thread that dies would leave the run waiting for ever
            what = f"its result could not be fetched: {error!r}"
        return Ended(stage, None, 0.0, "failed", f"{what}; repeat the command")

    def _fetched(self, launch: Launch, expected: Expected) -> Ended:
        report = self._report(launch.job.stage, expected)
        if expected.task.state == "failed":
            return self._failed(launch, expected, report)
        if report and report.is_success:
            if changed := _changed(report, expected.reads):
                return _of_another_input(launch.job.stage, changed)
            if self._take(launch, report):
                self._finish_log(launch, expected, report.log)
                return Ended(launch.job.stage, 0, report.seconds)
        stage, root = launch.job.stage, self.reports.root.root
        why = f"the cluster finished it, but no complete result is below {root}; run it again: force={stage}"
        return Ended(stage, None, 0.0, "bad_output", why)

    def _report(self, stage: str, expected: Expected) -> Report | None:
        """Return the report of the task's own run or, unless it had to run again, of an earlier one."""
        found = self.reports.find(stage, expected.run_id) if expected.run_id else None
        if found or (expected.is_forced and expected.run_id):
            return found
        return self.reports.find(stage) if expected.task.state == "done" else None

    def _take(self, launch: Launch, report: Report) -> bool:
        """Write outputs, events and result into the job's folder; return whether all are whole."""
        _write_reports(launch.folder, report)
        for name in launch.job.outputs:
            path = launch.folder / "out" / launch.job.contract.file_of(name)
            found = report.outputs.get(name)
            handles.remove(path)
            if found is None or not self.reports.root.get(found.uri, path, found.digest):
                return False
        return True

    def _failed(self, launch: Launch, expected: Expected, report: Report | None) -> Ended:
        if report and report.is_success:  # of an earlier attempt
            report = None
        log = self._finish_log(launch, expected, report.log if report else None)
        told = failures.told_in(log)
        if report:
            _write_reports(launch.folder, report)
            told = Told(report.status, report.result)
        failure = failures.why(launch.job, expected.task, told)
        seconds = report.seconds if report else expected.task.seconds
        return Ended(launch.job.stage, None, seconds, failure.kind, failure.message)

    def _finish_log(self, launch: Launch, expected: Expected, reported: str | None) -> str:
        run_id = expected.run_id
        if self.logs is None or run_id is None:
            handles.append(launch.log, (reported or "").encode(errors="replace"))
            return reported or ""
        pod = expected.task.pods[-1] if expected.task.pods else None

        def stored() -> str | None:
            return self.reports.log(expected.task.name, run_id) or reported

        return self.logs.finish(launch.job.stage, pod, launch.log, stored)


def _write_reports(folder: Path, report: Report) -> None:
    """Write what the stage reported, as it does itself on this machine."""
    lines = "".join(f"{line}\n" for line in report.events)
    (folder / "events.jsonl").write_text(lines, encoding="utf-8", errors="replace")
    (folder / "result.json").write_text(json.dumps(report.result), encoding="utf-8")


def _of_another_input(stage: str, name: str) -> Ended:
    """Return the end of a stage that the cluster computed from what this run does not have."""
    why = (
        f"the cluster computed it from another '{name}' than the one in the store, because a stage is "
        "not reproducible; the same command runs it again"
    )
    return Ended(stage, None, 0.0, "input_changed", why)


def _changed(report: Report, reads: Mapping[str, str]) -> str:
    """Return an input that differs from the artifact here; empty if there is none."""
    return next(
        (name for name, digest in reads.items() if report.inputs.get(name, digest) != digest), ""
    )
