"""Measures the server's pipeline: answers per second and age of frames, beside a serial loop and the three
threads of google-coral's pose demo (project-posenet, pose_camera), written anew.

The accelerator is simulated: it sleeps, with the interpreter lock released, for the published times of an
Edge TPU. All get the same camera: JPEGs of 640 x 480, faster than the accelerator, newest frame first.
The others draw each answer; ours draws and encodes 15 pictures a second for a viewer. A phased task
prepares a frame while the accelerator is busy (classify, detect, faces); a following one cannot, because
its crop depends on the last answer (activity). Then a slow camera, whose rate should be
reached. benchmarks/serving_load.py measures memory, the CPU, and viewers.
Usage: benchmarks/serving.py [SECONDS [ROUNDS]]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from stages.serving.interfaces import Summary
    from stages.serving.reading.reader import Taken

HEIGHT, WIDTH, SIDE = 480, 640, 192
DELAYS_MS = (14.8, 7.0, 4.0, 2.3)  # MoveNet on a Pi 4 and on a desktop, MobileNet V2 on both
FASTER = 1.25  # the camera's rate, over the accelerator's
VIEWER_FPS, CAMERA_FPS = 15, 30.0
WARM_S = 1.0
Result = tuple[float, list[float]]  # answers per second, ages in ms


class Task:
    """Resizes, sleeps like an accelerator, and reads 17 keypoints from what it got."""

    takes, follows, picture_side, ran_on = "pictures", True, None, "a simulated accelerator"

    def __init__(self, delay_ms: float, is_phased: bool, model: Any = None) -> None:
        self._delay_s, self._busy = delay_ms / 1000, threading.Lock()
        self._model = model  # on the CPU, instead of the accelerator
        self._output = np.random.default_rng(0).random((1, 1, 17, 3), np.float32)
        if is_phased:
            self.look, self.conclude = self._look, self._conclude

    def new_state(self, still: bool = False) -> None:
        return None

    def answer(self, raw: Any, state: None) -> dict[str, Any]:
        return self._conclude(self._look(raw), raw.shape[:2], state)

    def detections(self, answer: dict[str, Any]) -> list[Any]:
        return []

    def draw(self, picture: Any, answer: dict[str, Any]) -> Any:
        from stages.tasks.keypoints import drawing

        return drawing.drawn(picture, np.asarray(answer["keypoints"], np.float32), "a caption")

    def _look(self, raw: Any) -> Any:
        from stages.media.scaling import resized
        from stages.tflite.turns import turn

        if self._model:
            ((name, tensor),) = self._model.inputs.items()
            pixels = resized(raw, *tensor.shape[1:3])[None]
            self._model.run({name: pixels.astype(tensor.type, copy=False)})
            return self._output
        if self._delay_s:
            resized(raw, SIDE, SIDE)
        with turn(self._busy):
            if self._delay_s:
                time.sleep(self._delay_s)
            return self._output

    def _conclude(self, looked: Any, size: Any, state: None) -> dict[str, Any]:
        points = looked[0, 0] * (size[0], size[1], 1)
        return {"keypoints": np.round(points.astype(np.float64), 3).tolist()}


class Camera:
    """Gives the newest JPEG of a camera with this rate, as raw bytes or decoded into a buffer."""

    def __init__(self, fps: float, small: bool = False) -> None:
        self._fps, self._small = fps, small
        self._start_s, self._last, self._count = time.time(), -1, 0
        self._jpegs = [] if small else jpegs()

    def grab(self) -> tuple[bytes, int, float]:
        """Return a JPEG that was not returned before, its number and its time of capture."""
        while (number := int((time.time() - self._start_s) * self._fps)) == self._last:
            time.sleep(max(0.0, self._start_s + (number + 1) / self._fps - time.time()))
        self._last = number
        return self._jpegs[number % len(self._jpegs)], number, self._start_s + number / self._fps

    def read(self, buffer: Any) -> Taken:
        """Decode the newest frame, as stages.serving.reading.reader does; or write a small one."""
        from stages.serving.reading.reader import Taken

        self._count += 1
        if self._small:
            time.sleep(max(0.0, self._start_s + self._count / self._fps - time.time()))
            buffer(48, 64)[0, 0] = self._count % 256
            return Taken(48, 64, self._count - 1, time.time(), 0, False)
        jpeg, number, time_s = self.grab()
        decoded(jpeg, buffer(HEIGHT, WIDTH))
        return Taken(HEIGHT, WIDTH, number, time_s, 0, False)

    def state(self, answered: int = 0, fps: float = 0.0, dropped: Any = None) -> Any:
        about = {"type": "benchmark", "status": "live", "why": "", "size": None, "reopened": 0}
        counts = {"captured": self._count, "answered": answered, "dropped": dict(dropped or {})}
        return {"kind": "source", "source": "camera", "fps": fps, "resized": 0, **about, **counts}


# What the pipeline needs of the modules that open packages and sources: this file is both.


def describe(package: Path) -> Task:
    about = json.loads(package.read_text())
    return Task(about["delay_ms"], about["is_phased"])


def open_task(package: Path, accelerator: str, runtime: str, threads: int) -> Task:
    from stages.tflite.model import open_model

    about = json.loads(package.read_text())
    model = open_model(Path(about["model"])) if "model" in about else None
    return Task(about["delay_ms"], about["is_phased"], model)


def summary(package: Path, task: Task) -> Summary:
    empty: Any = {"labels": [], "sources": [], "columns": []}
    return {"task": "pose", "takes": "pictures", "name": "", "version": "", **empty}


def is_present(accelerator: str) -> bool:
    return False


def open_reader(name: str, text: str, options: Any) -> Camera:
    return Camera(**json.loads(Path(text).read_text()))


def type_of(text: str) -> str:
    return "benchmark"


def jpegs() -> list[bytes]:
    """Return pictures with as much detail as a camera's: about 45 kB each."""
    import cv2

    chance = np.random.default_rng(0)
    found = []
    for _ in range(12):
        coarse = chance.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
        picture = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        found.append(bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]))
    return found


def decoded(jpeg: bytes, into: Any = None) -> Any:
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=into)


def bare(delay_ms: float, seconds: float) -> Result:
    """Invoke the accelerator and do nothing else."""
    end_s, count, start_s = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < end_s:
        time.sleep(delay_ms / 1000)
        count += 1
    return count / (time.monotonic() - start_s), []


def serial(delay_ms: float, seconds: float) -> Result:
    """Read, answer and draw in one loop."""
    camera, task = Camera(FASTER * 1000 / delay_ms), Task(delay_ms, False)
    ages = []
    start_s = time.monotonic()
    while time.monotonic() - start_s < seconds:
        jpeg, _, time_s = camera.grab()
        picture = decoded(jpeg)
        answer = task.answer(picture, None)
        ages.append((time.time() - time_s) * 1000)
        task.draw(picture, answer)
    return len(ages) / (time.monotonic() - start_s), ages


def three_threads(delay_ms: float, seconds: float) -> Result:
    """Decode and scale in one thread, infer in another, draw in a third; the newest frame waits."""
    camera, task = Camera(FASTER * 1000 / delay_ms), Task(delay_ms, False)
    fresh, drawable = threading.Condition(), threading.Condition()
    slot: dict[str, Any] = {}
    answers: list[Any] = []
    ages: list[float] = []
    end_s = time.monotonic() + seconds

    def decode() -> None:
        from stages.media.scaling import resized

        while time.monotonic() < end_s:
            jpeg, _, time_s = camera.grab()
            picture = decoded(jpeg)
            small = resized(picture, SIDE, SIDE)
            with fresh:
                slot["frame"] = (picture, small, time_s)
                fresh.notify()

    def infer() -> None:
        while time.monotonic() < end_s:
            with fresh:
                if not fresh.wait_for(lambda: "frame" in slot, 0.5):
                    continue
                picture, small, time_s = slot.pop("frame")
            looked = task._look(small)  # of this size already: resizing does nothing
            answer = task._conclude(looked, picture.shape[:2], None)
            ages.append((time.time() - time_s) * 1000)
            with drawable:
                answers[:] = [(picture, answer)]
                drawable.notify()

    def draw() -> None:
        while time.monotonic() < end_s:
            with drawable:
                if not drawable.wait_for(lambda: answers, 0.5):
                    continue
                picture, answer = answers.pop()
            task.draw(picture, answer)

    threads = [threading.Thread(target=run) for run in (decode, infer, draw)]
    start_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(ages) / (time.monotonic() - start_s), ages


def ours(delay_ms: float, seconds: float, is_phased: bool, fps: float = 0.0) -> Result:
    """Run the server's pipeline, with a viewer."""
    about = {"delay_ms": delay_ms, "is_phased": is_phased}
    with pipeline(about, {"fps": fps or FASTER * 1000 / delay_ms}) as feed:
        feed.want("camera", "viewer", VIEWER_FPS)
        return observed(feed, seconds)


def observed(feed: Any, seconds: float) -> Result:
    """Return what happens after a moment."""
    for end_s in (WARM_S, seconds):
        ages: list[float] = []
        start_s = time.monotonic()
        while time.monotonic() - start_s < end_s:
            ages += [one["age_ms"] for one in feed.messages(0.1) if one["kind"] == "update"]
    return len(ages) / (time.monotonic() - start_s), ages


@contextmanager
def pipeline(about: dict[str, Any], camera: dict[str, Any]) -> Iterator[Any]:
    """Start the pipeline with a task and a camera of this file."""
    from stages.serving.pipeline.launch import start
    from stages.serving.pipeline.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        package, source = Path(folder) / "package", Path(folder) / "camera"
        package.write_text(json.dumps(about))
        source.write_text(json.dumps(camera))
        module = "benchmarks.serving"
        feed = start(package, [str(source)], Settings(tasks=module, readers=module))
        try:
            yield feed
        finally:
            feed.close()


def main(seconds: float, rounds: int) -> None:
    """Print the tables."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {rounds} rounds")
    print(
        f"{'accelerator':>12} {'':18} {'answers/s':>9} {'of bare':>8} {'age p50':>8} {'p95':>6}  ms"
    )
    for delay_ms in DELAYS_MS:
        found: dict[str, list[Result]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, way in WAYS.items():
                found[name].append(way(delay_ms, seconds))
        bare_rate = statistics.median(rate for rate, _ in found["bare"])
        for name, results in found.items():
            rate, p50, p95 = middle(results)
            share = f"{rate / bare_rate:8.1%}"
            print(f"{delay_ms:9g} ms {name:18} {rate:9.1f} {share} {p50:8.1f} {p95:6.1f}")
        limit_ms = 2 * 1000 / bare_rate + 1000 / (FASTER * 1000 / delay_ms)
        print(f"{'':12} {'2 inferences + 1 frame':54} {limit_ms:6.1f}")
    rate, p50, p95 = middle([ours(7.0, seconds, True, CAMERA_FPS) for _ in range(rounds)])
    print(f"camera of {CAMERA_FPS:g} fps, 7 ms: {rate:.2f} answers/s, age {p50:.1f} {p95:.1f} ms")


def middle(results: list[Result]) -> tuple[float, float, float]:
    """Return the median rate, and the medians of the median age and of its 95th percentile."""
    ages = [sorted(ages) or [0.0] for _, ages in results]
    return (
        statistics.median(rate for rate, _ in results),
        statistics.median(one[len(one) // 2] for one in ages),
        statistics.median(one[len(one) * 95 // 100] for one in ages),
    )


WAYS: dict[str, Callable[[float, float], Result]] = {
    "bare": bare,
    "serial loop": serial,
    "three threads": three_threads,
    "ours, following": lambda delay_ms, seconds: ours(delay_ms, seconds, False),
    "ours, phased": lambda delay_ms, seconds: ours(delay_ms, seconds, True),
}

if __name__ == "__main__":
    main(float((*sys.argv[1:], "3")[0]), int((*sys.argv[2:], "3")[0]))
