"""A pipeline for tests of what reads it: the test decides what happens."""

from __future__ import annotations

import queue
import time
from typing import Any

from stages.serving.interfaces import (
    Detection,
    Message,
    Picture,
    SourceState,
    Summary,
    Update,
    WorkerState,
)

JPEG = bytes.fromhex("ffd8ffd9")  # enough for code that does not decode it


class FakeFeed:
    """A feed whose messages are put by the test; `pictures` has the newest JPEG of each source."""

    def __init__(self, task: str = "detect", sources: tuple[str, ...] = ("door",)) -> None:
        self.summary: Summary = {
            "task": task,
            "takes": "pictures",
            "name": "sample",
            "version": "1",
            "labels": ["person", "cat"],
            "sources": list(sources),
        }
        self.pictures = {source: Picture(JPEG, 10**9, time.time()) for source in sources}
        self.wants: list[tuple[str, str, float, bool]] = []
        self.is_closed = False
        self._messages: queue.Queue[Message] = queue.Queue()

    def put(self, *messages: Message) -> None:
        for one in messages:
            self._messages.put(one)

    def messages(self, timeout_s: float) -> list[Message]:
        found = []
        try:
            found.append(self._messages.get(timeout=timeout_s))
            while True:
                found.append(self._messages.get_nowait())
        except queue.Empty:
            return found

    def want(self, source: str, who: str, fps: float, drawn: bool = True) -> None:
        self.wants.append((source, who, fps, drawn))

    def picture(self, source: str, drawn: bool = True) -> Picture | None:
        return self.pictures.get(source)

    def ask(self, raw: Any, conversation: str = "", timeout_s: float = 10.0) -> Any:
        return {"answer": raw if isinstance(raw, str) else len(raw)}

    def close(self) -> None:
        self.is_closed = True


def detection(
    label: str = "person",
    score: float | None = 0.9,
    box: list[float] | None = None,
    id: int | None = None,
) -> Detection:
    return {"label": label, "score": score, "box": box, "id": id}


def update(*found: Detection, source: str = "door", frame: int = 0, **values: Any) -> Update:
    made: Update = {
        "kind": "update",
        "source": source,
        "frame": frame,
        "time_s": time.time(),
        "size": (480, 640),
        "answer": {"label": found[0]["label"] if found else None},
        "detections": list(found),
        "age_ms": 20.0,
        "infer_ms": 7.0,
        "accelerator": "cpu",
    }
    return {**made, **values}  # type: ignore[typeddict-item]


def source_state(source: str = "door", **values: Any) -> SourceState:
    made: SourceState = {
        "kind": "source",
        "source": source,
        "type": "file",
        "status": "live",
        "why": "",
        "size": (480, 640),
        "fps": 12.5,
        "captured": 100,
        "answered": 90,
        "dropped": {"newer": 10},
        "reopened": 1,
    }
    return {**made, **values}  # type: ignore[typeddict-item]


def worker_state(**values: Any) -> WorkerState:
    made: WorkerState = {
        "kind": "worker",
        "accelerator": "cpu",
        "wanted": "edgetpu",
        "called": "Edge TPU",
        "status": "fallback",
        "why": "no Edge TPU",
        "ran_on": "LiteRT on the CPU",
        "restarts": 2,
        "memory_mb": 60.0,
    }
    return {**made, **values}  # type: ignore[typeddict-item]
