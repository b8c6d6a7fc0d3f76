"""Stores a short video of each event that asks for one, with some seconds before its beginning.

While a rule with a clip is loaded, the last pictures of the sources are kept in memory as JPEG.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Deque, Dict, List, Optional, Sequence

from stages.serving.events.capped import CappedFolder, stamped
from stages.serving.events.encoding import encode
from stages.serving.events.rule import Rule, concerns
from stages.serving.events.snapshots import stored
from stages.serving.interfaces import Event, Happening, Hub, Message, Picture

FPS = 10.0
WHO = "clips"
MOST_BYTES = 32_000_000  # of the kept pictures of a source
MOST_OPEN = 4  # clips of a source that are filled at the same time
MOST_WAITING = 4  # clips that wait to be encoded
ENCODE_S = 120.0
FIRST_S = 5.0  # how long an ended clip waits for a picture if it has none
Encode = Callable[[Path, List["tuple[float, bytes]"], float], None]


@dataclass
class _Clip:
    """A clip that is being filled."""

    event: Event
    until_s: float
    pictures: List[Picture] = field(default_factory=list)

    def is_complete(self, now_s: float) -> bool:
        """Return whether its time is over; a slow source has some more time for its first picture."""
        return now_s >= self.until_s + (0.0 if self.pictures else FIRST_S)


class Ring:
    """The last pictures of a source, limited in time and size."""

    def __init__(self, seconds: float, most_bytes: int = MOST_BYTES) -> None:
        self.seconds, self._most_bytes = seconds, most_bytes
        self._pictures: Deque[Picture] = deque()
        self._bytes = 0

    def add(self, picture: Picture) -> bool:
        """Keep a picture; return False if it is not newer than the last one."""
        if self._pictures and picture.frame == self._pictures[-1].frame:
            return False
        self._pictures.append(picture)
        self._bytes += len(picture.jpeg)
        while len(self._pictures) > 1 and self._is_too_much(picture.time_s):
            self._bytes -= len(self._pictures.popleft().jpeg)
        return True

    def since(self, time_s: float) -> List[Picture]:
        """Return the pictures captured at or after this time."""
        return [one for one in self._pictures if one.time_s >= time_s]

    def _is_too_much(self, now_s: float) -> bool:
        is_old = (
            not now_s - self.seconds <= self._pictures[0].time_s <= now_s
        )  # or the clock was set
        return is_old or self._bytes > self._most_bytes


class Clips:
    """A reaction that stores clips."""

    def __init__(
        self,
        folder: CappedFolder,
        rules: Sequence[Rule],
        encode: Encode = encode,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._encode, self._clock = folder, encode, clock
        self._rules = [one for one in rules if one.do.clip]
        self._rings: Dict[str, Ring] = {}
        self._open: Dict[str, List[_Clip]] = {}
        self._lock = threading.Lock()
        self._full: queue.Queue[Optional[_Clip]] = queue.Queue(MOST_WAITING)
        self._has_ended = threading.Event()
        self._lost = 0
        self._threads = [
            threading.Thread(target=work, name=f"clips {work.__name__}", daemon=True)
            for work in (self._watch, self._write)
        ]

    def start(self, hub: Hub) -> None:
        self._hub = hub
        self._folder.removed = hub.detach
        for source in hub.feed.summary["sources"]:
            befores = [
                one.do.clip.before_s
                for one in self._rules
                if one.do.clip and concerns(one.when, source)
            ]
            if befores:
                self._rings[source] = Ring(max(befores) + 1.0)
                hub.feed.want(source, WHO, FPS)
        for one in self._threads if self._rings else ():
            one.start()

    def see(self, message: Message) -> None:
        """Messages of the pipeline are not needed."""

    def react(self, event: Event, happening: Happening) -> None:
        """Begin the clip of an event."""
        clip, source = happening.rule.do.clip, event["source"]
        if event["state"] != "began" or clip is None or source not in self._rings:
            return
        with self._lock:
            begun = self._open.setdefault(source, [])
            if len(begun) >= MOST_OPEN:
                self._lost += 1
                return
            before = self._rings[source].since(event["time_s"] - clip.before_s)
            begun.append(_Clip(event, self._clock() + clip.after_s, before))

    def counters(self) -> Dict[str, float]:
        return {"serving_clips_lost_total": self._lost, **stored({"clips": self._folder})}

    def close(self) -> None:
        """End the clips as they are, and store them."""
        self._has_ended.set()
        for one in self._threads if self._rings else ():
            one.join(10)
        for source in self._rings:
            self._hub.feed.want(source, WHO, 0)

    def _watch(self) -> None:
        """Collect pictures until the end."""
        while not self._has_ended.wait(0.5 / FPS):
            for source in self._rings:
                self._collect(source, self._clock())
        for source in self._rings:
            self._collect(source, float("inf"))
        self._full.put(None)

    def _collect(self, source: str, now_s: float) -> None:
        """Take the newest picture, and finish the clips that have ended."""
        picture = self._hub.feed.picture(source)
        with self._lock:
            begun = self._open.get(source, [])
            if picture and self._rings[source].add(picture):
                for one in begun:
                    one.pictures.append(picture)
            ended = [one for one in begun if one.is_complete(now_s)]
            self._open[source] = [one for one in begun if not one.is_complete(now_s)]
        for one in ended:
            try:
                self._full.put_nowait(one)
            except queue.Full:
                self._lost += 1

    def _write(self) -> None:
        for clip in iter(self._full.get, None):
            name = self._stored(clip) if clip.pictures else None
            if name is None:
                self._lost += 1
            else:
                self._hub.attach(clip.event["number"], clip=name)

    def _stored(self, clip: _Clip) -> Optional[str]:
        """Encode and store a clip; return its name, or None."""
        event, first = clip.event, clip.pictures[0].time_s
        number = f"{event['number']:04d}"
        name = f"{stamped(event['time_s'], number, event['rule'], event['source'])}.mp4"
        shots = [(max(0.0, one.time_s - first), one.jpeg) for one in clip.pictures]
        size_bytes = sum(len(one.jpeg) for one in clip.pictures)  # more than the video will need
        made = self._folder.add(name, size_bytes, lambda part: self._encode(part, shots, ENCODE_S))
        return name if made else None
