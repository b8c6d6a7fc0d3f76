"""Tasks and cameras that do what a test asks for, in the processes of a real pipeline.

A package is a file with JSON: `delay_ms` of an answer, `is_phased`, and the `faults` of each start of an
inference process, of which the last one repeats. The starts are counted in the file `starts` beside it.
"""

import ctypes
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.serving.interfaces import Summary
from stages.serving.reading.reader import Taken
from stages.tflite.turns import turn


class Task:
    """Answers with a number of each frame; `fault` is what happens instead at frame `after`."""

    takes = "pictures"
    follows = True
    picture_side = None

    def __init__(self, about: dict[str, Any], accelerator: str, fault: str) -> None:
        self._about, self._fault, self._count = about, fault, 0
        self._lock = threading.Lock()
        self.takes = about.get("takes", "pictures")
        on_tpu = accelerator == "edgetpu"
        self.ran_on = f"a stand-in on the {'Edge TPU' if on_tpu else 'CPU'}"
        self._delay_s = about.get("delay_ms", 1) / 1000
        if about.get("is_phased"):
            self.look, self.conclude = self._look, self._conclude

    def new_state(self, still: bool = False) -> dict[str, Any]:
        return {"count": 0, "still": still}

    def answer(self, raw: Any, state: dict[str, Any]) -> dict[str, Any]:
        return self._conclude(self._look(raw), None, state)

    def _look(self, raw: Any) -> Any:
        self._count += 1
        if self._fault and self._count > self._about.get("after", 3):
            do(self._fault)
        if self._fault == "garbage" and self._count > 3:
            return float("nan")
        with turn(self._lock):
            time.sleep(self._delay_s)
        return raw if isinstance(raw, (str, dict)) else int(raw[0, 0, 0])

    def _conclude(self, looked: Any, size: Any, state: dict[str, Any]) -> dict[str, Any]:
        if looked == "refuse":
            raise StageError("the sentence is refused")
        state["count"] += 1
        return {"seen": looked, "count": state["count"]}

    def read(self, path: Path) -> None:
        return None

    def detections(self, answer: dict[str, Any]) -> list[Any]:
        return []

    def draw(self, picture: Any, answer: dict[str, Any]) -> Any:
        if self._about.get("draws") is False:
            raise ValueError("it cannot be drawn")
        drawn = np.array(picture)
        drawn[:, : drawn.shape[1] // 2] = (255, 0, 0)
        return drawn


def do(fault: str) -> None:
    if fault == "hang":
        time.sleep(3600)
    elif fault == "raise":
        raise StageError("the Edge TPU's process ended")
    elif fault == "segfault":
        ctypes.string_at(0)
    elif fault == "exit":
        os._exit(3)


def describe(package: Path) -> Task:
    about = json.loads(package.read_text())
    if "refuse" in about:
        raise StageError(about["refuse"])
    return Task(about, "none", "")


def open_task(package: Path, accelerator: str, runtime: str, threads: int) -> Task:
    about = json.loads(package.read_text())
    if accelerator == "edgetpu" and not is_present("edgetpu", package):
        accelerator = "none"
    starts = package.parent / "starts"
    with starts.open("a") as file:
        file.write(f"{accelerator}\n")
    faults = about.get(f"faults_{accelerator}", about.get("faults", [""]))
    count = starts.read_text().split().count(accelerator)
    fault = faults[min(count, len(faults)) - 1]
    if fault == "open":
        raise StageError("the model cannot be opened")
    if fault == "hang_open":
        time.sleep(3600)
    return Task(about, accelerator, fault)


def is_present(accelerator: str, package: "Path | None" = None) -> bool:
    folder = package.parent if package else Path(os.environ["STAND_IN"])
    return (folder / "plugged").exists()


def obstacle(accelerator: str) -> str:
    return "no Edge TPU is usable: none is connected"


def summary(package: Path, task: Task) -> Summary:
    about = json.loads(package.read_text())
    labels = about.get("labels", [])
    return Summary(
        task="stand-in",
        takes=task.takes,
        name="x",
        version="1",
        labels=labels,
        sources=[],
        columns=[],
    )


class Camera:
    """Frames of one colour, which is their number; the text is JSON: fps, count, size, clips."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._about = name, json.loads(text)
        self._number, self._next_s = 0, time.monotonic()

    def read(self, buffer: Any) -> Taken | None:
        about = self._about
        if self._number >= about.get("count", 10**9):
            time.sleep(0.05)
            return None
        if about.get("fault") and self._number == about.get("after", 5):
            do(about["fault"])
        fps = about.get("fps", 30)
        if fps:
            time.sleep(max(0.0, self._next_s - time.monotonic()))
            self._next_s = max(self._next_s + 1 / fps, time.monotonic() - 0.1)
        height, width = about.get("size", (48, 64))
        value = self._number if about.get("moves", True) else 7
        buffer(height, width)[:] = value % 256
        clip = self._number // about.get("clip", 10**9)
        self._number += 1
        return Taken(height, width, self._number - 1, time.time(), clip, False)

    def state(self, answered: int = 0, fps: float = 0.0, dropped: Any = None) -> Any:
        is_ended = self._number >= self._about.get("count", 10**9)
        return {
            "kind": "source",
            "source": self._name,
            "type": "stand-in",
            "status": "ended" if is_ended else "live" if self._number else "starting",
            "why": "",
            "size": self._about.get("size", (48, 64)),
            "fps": fps,
            "captured": self._number,
            "answered": answered,
            "dropped": dict(dropped or {}),
            "reopened": 0,
            "resized": 0,
        }


def open_reader(name: str, text: str, options: Any) -> Camera:
    return Camera(name, Path(text).read_text())


def type_of(text: str) -> str:
    return "stand-in"
