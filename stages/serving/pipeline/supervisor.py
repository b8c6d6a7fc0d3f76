"""The process that starts the others, watches them, and starts them again. It has no threads, and does
nothing that could hang.
"""

from __future__ import annotations

import importlib
import mmap
import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

from stages import accelerator as accelerators
from stages.serving.interfaces import SourceStatus, WorkerState, WorkerStatus
from stages.serving.pipeline import children, inference, pictures, wire
from stages.serving.pipeline.busy import Busy
from stages.serving.pipeline.camera import Camera
from stages.serving.pipeline.job import Channels, Stream
from stages.serving.pipeline.machine import memory_mb
from stages.serving.pipeline.neglect import Neglect
from stages.serving.pipeline.painter import Painter, PainterEnds
from stages.serving.pipeline.pictures import Pictures
from stages.serving.pipeline.place import Place, state_of
from stages.serving.pipeline.policy import Policy
from stages.serving.pipeline.settings import Settings

if TYPE_CHECKING:
    import socket

    from stages.tasks.task import Task

TICK_S = 0.1  # between two looks
LEAVE_S = 2.0  # after SIGTERM, for the main process to end too: otherwise it would report a failure


class Supervisor:
    """All processes of a pipeline."""

    def __init__(
        self,
        package: Path,
        task: Task,
        cameras: Sequence[Place],
        shown: mmap.mmap,
        ends: "Dict[str, socket.socket]",
        settings: Settings,
    ) -> None:
        self._package, self._task, self._cameras = package, task, list(cameras)
        self._shown, self._ends, self._settings = shown, ends, settings
        self._messages = wire.Sender(ends["messages"], 0)
        self._control = wire.Receiver(ends["control"])
        self._wake = wire.pipe()
        self._busy, self._children = Busy(), children.Children()
        self._neglect = Neglect([one.ring for one in self._cameras])
        self._policy = Policy(settings)
        self._reports, self._report_end = wire.pair()
        self._inbox = wire.Receiver(self._reports)
        self._worker: Optional[int] = None
        self._probe: Optional[int] = None
        self._probe_end_s = 0.0
        self._start_s, self._opened_s, self._told_s = 0.0, 0.0, 0.0
        self._is_open, self._ran_on, self._accelerator = False, "", ""
        self._why, self._restarts = "", 0
        self._pids: Dict[str, int] = {}
        self._is_told_to_end = False

    def run(self) -> None:
        """Work until the main process closes the control socket, or SIGTERM."""
        signal.signal(signal.SIGTERM, self._take_signal)
        tick_s = min(TICK_S, self._settings.watchdog_s / 4)
        try:
            while not self._is_closed(tick_s):
                now_s = time.monotonic()
                self._watch_worker(now_s)
                self._watch_cameras(now_s)
                self._watch_probe(now_s)
                self._children.reap()
                if now_s - self._told_s >= self._settings.state_s:
                    self._tell()
        finally:
            self._end()
            if self._is_told_to_end:
                select.select([self._control], [], [], LEAVE_S)

    def _take_signal(self, number: int, frame: Any) -> None:
        """Report nothing more: all processes may have got the signal, as from systemd."""
        self._is_told_to_end = True

    def _is_closed(self, tick_s: float) -> bool:
        ready, _, _ = select.select([self._control, self._inbox], [], [], tick_s)
        if self._is_told_to_end:
            return True
        if self._inbox in ready:
            self._take_reports()
        if self._control in ready:
            try:
                return bool(self._control.receive())  # any message asks to end
            except EOFError:
                return True
        return False

    def _take_reports(self) -> None:
        for data in self._inbox.receive():
            report = wire.unpacked(data)
            if report["kind"] == "opened":
                self._is_open, self._ran_on = True, report["ran_on"]
                self._accelerator = report["accelerator"]
                used = "none" if self._accelerator == "cpu" else self._accelerator
                self._policy.opened(time.monotonic(), used)
                if self._policy.has_fallen_back and not self._why:
                    self._why = self._reason()
                elif not self._policy.has_fallen_back:
                    self._why = ""
                self._tell()
            else:
                self._why = report["why"]

    def _watch_worker(self, now_s: float) -> None:
        if self._worker is None:
            if now_s >= self._start_s and not self._policy.is_given_up:
                self._start_worker(now_s)
            return
        # First, because this process may itself have been late: one that has ended is not one that hangs.
        if (status := children.reaped(self._worker)) is not None:
            self._take_reports()
            if not self._why or (self._is_open and status < 0):
                self._why = f"the inference process {children.described(status)}"
            children.kill(self._worker)  # what it started, such as an accelerator's process
            self._failed(now_s)
            return
        limit_s = self._settings.watchdog_s if self._is_open else self._settings.open_s
        busy_s = self._busy.longest_s()
        is_busy = busy_s > 0 or not self._is_open
        if max(busy_s, self._neglect.lasts_s(now_s, is_busy)) > limit_s:
            self._why = f"no answer within {limit_s:g} s"
            self._children.end(self._worker)
            self._failed(now_s)

    def _failed(self, now_s: float) -> None:
        self._worker, self._is_open = None, False
        self._restarts += 1
        self._busy.forget()
        for one in self._cameras:
            one.ring.forget_readers()
        self._start_s = now_s + self._policy.failed(now_s, self._why)
        self._tell()

    def _start_worker(self, now_s: float) -> None:
        self._is_open = False
        self._neglect.begin(now_s)
        streams = [
            Stream(one.name, one.ring, wire.Sender(one.answers[0], 1), one.ring.last_taken())
            for one in self._cameras
        ]
        channels = Channels(
            self._wake[0],
            self._ends["asked"],
            wire.Sender(self._ends["messages"], 1),
            wire.Sender(self._ends["messages"], 2),
            wire.Sender(self._report_end, 1),
            self._busy,
        )
        used, settings = self._policy.using, self._settings
        self._worker = children.fork(
            lambda: inference.run(self._package, used, streams, channels, settings)
        )
        self._tell()

    def _watch_cameras(self, now_s: float) -> None:
        for one in self._cameras:
            if one.is_given_up:
                continue
            if one.pid is None:
                if now_s >= one.start_s:
                    one.pid = children.fork(lambda one=one: self._run_camera(one))  # type: ignore[misc]
                    one.ring.beat(now_s)
                continue
            status = children.reaped(one.pid)
            if status is None and one.ring.silent_s(now_s) > self._settings.camera_s:
                self._children.end(one.pid)
                self._camera_failed(one, now_s, "the source did not respond")
            elif status is not None:
                children.kill(one.pid)
                how = f"the camera process {children.described(status)}"
                self._camera_failed(one, now_s, how)

    def _camera_failed(self, one: Place, now_s: float, why: str) -> None:
        """Start it again later, unless it has failed too often."""
        one.pid = None
        span_s = self._settings.crash_span_s
        one.crashes = [at for at in one.crashes if now_s - at < span_s] + [now_s]
        one.ring.add("restarts")
        one.start_s = now_s + self._settings.backoff_s * 2 ** (len(one.crashes) - 1)
        one.is_given_up = len(one.crashes) > self._settings.crashes
        status: SourceStatus = "failed" if one.is_given_up else "no_signal"
        self._messages.send(wire.packed(state_of(one, status, why)))

    def _run_camera(self, one: Place) -> None:
        sender = wire.Sender(self._ends["messages"], 3 + one.index)
        module = importlib.import_module(self._settings.readers)
        reader = module.open_reader(one.name, one.text, self._settings.source)
        plain, drawn = (
            Pictures(self._shown, one.index, kind) for kind in (pictures.PLAIN, pictures.DRAWN)
        )
        ends = PainterEnds(one.answers[1], one.wake, self._wake[1])
        Painter(one.ring, (plain, drawn), self._task, ends, self._settings).start()
        Camera(reader, one.ring, self._wake[1], sender, self._settings).run()

    def _watch_probe(self, now_s: float) -> None:
        """Try the accelerator in a process of its own, while the CPU answers."""
        if self._probe is None:
            opener = importlib.import_module(self._settings.tasks)
            wanted = self._settings.accelerator
            if self._policy.has_fallen_back and self._policy.wants_probe(
                now_s, opener.is_present(wanted)
            ):
                self._probe = children.fork(lambda: _probe(self._package, self._settings))
                self._probe_end_s = now_s + self._settings.open_s
            return
        status = children.reaped(self._probe)
        if status is None and now_s <= self._probe_end_s:
            return
        if status is None:
            self._children.end(self._probe)
        else:
            children.kill(self._probe)  # what it started
        self._probe = None
        self._policy.probed(now_s, status == 0)
        if status == 0:
            self._change_worker(now_s)

    def _change_worker(self, now_s: float) -> None:
        """Start the inference process again, on the accelerator that is back."""
        if self._worker is not None:
            self._children.end(self._worker)
        self._worker, self._is_open, self._why = None, False, ""
        self._busy.forget()
        for one in self._cameras:
            one.ring.forget_readers()
        self._start_worker(now_s)

    def _reason(self) -> str:
        opener = importlib.import_module(self._settings.tasks)
        return str(opener.obstacle(self._settings.accelerator))

    def _status(self) -> WorkerStatus:
        if self._policy.is_given_up and self._worker is None:
            return "failed"
        if self._is_open:
            return "fallback" if self._policy.has_fallen_back else "ready"
        return "restarting" if self._restarts else "starting"

    def _tell(self) -> None:
        self._told_s = time.monotonic()
        status, wanted = self._status(), self._settings.accelerator
        state = WorkerState(
            kind="worker",
            accelerator=self._accelerator or "cpu",
            wanted="cpu" if wanted == "none" else wanted,
            called=accelerators.title(wanted),
            status=status,
            why="" if status == "ready" else self._why,
            ran_on=self._ran_on,
            restarts=self._restarts,
            memory_mb=round(memory_mb(self._worker), 1) if self._worker else 0.0,
        )
        self._messages.send(wire.packed(state))
        pids = {"supervisor": os.getpid()}
        if self._worker:
            pids["inference"] = self._worker
        pids.update({f"camera {one.name}": one.pid for one in self._cameras if one.pid})
        if pids != self._pids:
            self._pids = pids
            self._messages.send(wire.packed({"kind": "processes", "pids": pids}))

    def _end(self) -> None:
        """End all processes."""
        pids = [self._worker, self._probe, *(one.pid for one in self._cameras)]
        for pid in pids:
            if pid:
                children.kill(pid)
        for pid in pids:
            if pid:
                self._children.end(pid)


def _probe(package: Path, settings: Settings) -> None:
    """Exit with 0 if the accelerator can be used."""
    opener = importlib.import_module(settings.tasks)
    task = opener.open_task(package, settings.accelerator, settings.runtime, settings.threads)
    os._exit(0 if inference.used(task, settings.accelerator) != "none" else 1)
