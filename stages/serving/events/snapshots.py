"""Stores a picture of each event that asks for one, and of frames that the model was unsure of.

A thread of its own takes and writes them; if it falls behind, pictures are left out, and counted.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from stages.serving.events.capped import CappedFolder, stamped
from stages.serving.events.counters import HIDDEN, named
from stages.serving.events.shots import shot
from stages.serving.interfaces import Event, Happening, Hub, Message, Update

MOST_WAITING = 16
BETWEEN_SAMPLES_S = 10.0


@dataclass(frozen=True)
class _Job:
    """A picture that is to be taken."""

    folder: CappedFolder
    name: str
    source: str
    frame: int
    drawn: bool
    event: Optional[Event] = None  # the event that shows it


def snapshot_name(event: Event) -> str:
    """Return the name of an event's picture, known before it is taken."""
    number = f"{event['number']:04d}"
    return f"{stamped(event['time_s'], number, event['rule'], event['source'])}.jpg"


class Snapshots:
    """A reaction that stores pictures; folders that are None store nothing."""

    def __init__(
        self,
        snapshots: Optional[CappedFolder],
        samples: Optional[CappedFolder] = None,
        below: float = 0.5,
        between_s: float = BETWEEN_SAMPLES_S,
        shown: Optional[Callable[[Event, bytes], None]] = None,  # gets each stored picture
    ) -> None:
        self._snapshots, self._samples = snapshots, samples
        self._below, self._between_s, self._shown = below, between_s, shown
        self._jobs: queue.Queue[Optional[_Job]] = queue.Queue(MOST_WAITING)
        self._sampled_s: Dict[str, float] = {}
        self._lost = 0
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)

    def start(self, hub: Hub) -> None:
        self._hub = hub
        if self._snapshots is not None:
            self._snapshots.removed = hub.detach
        if hub.feed.summary["task"] in HIDDEN:  # never faces
            self._samples = None
        self._thread.start()

    def see(self, message: Message) -> None:
        """Order a sample if the model was unsure of the frame."""
        if self._samples is None or message["kind"] != "update":
            return
        score, source = lowest(message), message["source"]
        if score is None or not 0 < score < self._below:
            return
        now_s = time.monotonic()  # the clock may be set back by years
        if now_s - self._sampled_s.get(source, -self._between_s) >= self._between_s:
            self._sampled_s[source] = now_s
            label = next((one["label"] for one in message["detections"]), "unsure")
            name = stamped(message["time_s"], source, label, f"{score:.2f}".replace(".", ""))
            self._order(_Job(self._samples, f"{name}.jpg", source, message["frame"], False))

    def react(self, event: Event, happening: Happening) -> None:
        """Order the picture of an event."""
        is_wanted = event["state"] == "began" and happening.rule.do.snapshot
        if self._snapshots is None or not is_wanted:
            return
        name = snapshot_name(event)
        source = event["source"]
        job = _Job(self._snapshots, name, source, happening.frame, True, event)
        self._order(job)

    def counters(self) -> Dict[str, float]:
        folders = {"snapshots": self._snapshots, "samples": self._samples}
        return {"serving_pictures_lost_total": self._lost, **stored(folders)}

    def close(self) -> None:
        """Take the pictures that were ordered, and end."""
        try:
            self._jobs.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(5)

    def _order(self, job: _Job) -> None:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._lose(job)

    def _lose(self, job: _Job) -> None:
        self._lost += 1
        if job.event:
            self._hub.attach(job.event["number"], snapshot=None)

    def _work(self) -> None:
        for job in iter(self._jobs.get, None):
            picture = shot(self._hub.feed, job.source, job.frame, drawn=job.drawn)
            if picture is None or job.folder.write(job.name, picture.jpeg) is None:
                self._lose(job)
            elif job.event and self._shown:
                self._shown(job.event, picture.jpeg)


def lowest(update: Update) -> Optional[float]:
    """Return the lowest score of what was found, or the probability of an answer that names nothing."""
    scores = [one["score"] for one in update["detections"] if one["score"] is not None]
    if scores:
        return min(scores)
    answer: Any = update["answer"]
    found = answer.get("probability") if isinstance(answer, dict) else None
    return float(found) if isinstance(found, (int, float)) else None


def stored(folders: Dict[str, Optional[CappedFolder]]) -> Dict[str, float]:
    """Return the metrics of folders, by their names."""
    found: Dict[str, float] = {}
    for kind, folder in folders.items():
        if folder is not None:
            found[named("serving_stored_bytes", kind=kind)] = folder.size_bytes
            found[named("serving_storage_failed", kind=kind)] = bool(folder.failure)
    return found
