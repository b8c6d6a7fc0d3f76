"""Measures the server's pipeline: answers per second and age of frames, beside a serial loop and the three
threads of google-coral's pose demo, written anew.

The accelerator is simulated: it sleeps, with the interpreter lock released, for the published times of an
Edge TPU. All get the same camera: JPEGs of 640 x 480, faster than the accelerator, newest frame first.
The others draw each answer; ours draws and encodes 15 pictures a second for a viewer. A phased task
prepares a frame while the accelerator is busy (classify, detect, faces); a following one cannot, because
its crop depends on the last answer (activity). Then: a slow camera, 1,000,000 frames without delay and
their memory (drawn into OUT/serving_memory.svg), and with MIRROR a model on the CPU.
Usage: benchmarks/serving.py [MIRROR] [out=FOLDER] [frames=1000000] [seconds=3] [rounds=3]
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stages.serving.interfaces import Summary
from stages.serving.pipeline.settings import Settings
from stages.serving.pipeline.launch import start
from stages.serving.reading.reader import Taken
from stages.tflite.turns import turn

HEIGHT, WIDTH, SIDE = 480, 640, 192
DELAYS_MS = (14.8, 7.0, 4.0, 2.3)  # MoveNet on a Pi 4 and on a desktop, MobileNet V2 on both
FASTER = 1.25  # the camera's rate, over the accelerator's
VIEWER_FPS = 15
Result = tuple[float, list[float]]  # answers per second, ages in ms


class Task:
    """Resizes, sleeps like an accelerator, and reads 17 keypoints from what it got."""

    takes, follows, picture_side, ran_on = "pictures", True, None, "a simulated accelerator"

    def __init__(self, delay_ms: float, is_phased: bool) -> None:
        self._delay_s, self._busy = delay_ms / 1000, threading.Lock()
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

        if self._delay_s:
            resized(raw, SIDE, SIDE)
        with turn(self._busy):
            if self._delay_s:
                time.sleep(self._delay_s)
            return self._output.copy()

    def _conclude(self, looked: Any, size: Any, state: None) -> dict[str, Any]:
        points = looked[0, 0] * (size[0], size[1], 1)
        return {"keypoints": np.round(points.astype(np.float64), 3).tolist()}


class Camera:
    """Gives the newest JPEG of a camera with this rate, as raw bytes or decoded into a buffer."""

    def __init__(self, fps: float, most: int = 10**12, small: bool = False) -> None:
        self._fps, self._most, self._small = fps, most, small
        self._start_s, self._last, self._count = time.time(), -1, 0
        self._jpegs = [] if small else jpegs()

    def grab(self) -> tuple[bytes, int, float]:
        """Return a JPEG that was not returned before, its number and its time of capture."""
        while (number := int((time.time() - self._start_s) * self._fps)) == self._last:
            time.sleep(max(0.0, self._start_s + (number + 1) / self._fps - time.time()))
        self._last = number
        return self._jpegs[number % len(self._jpegs)], number, self._start_s + number / self._fps

    def read(self, buffer: Any) -> Taken | None:
        """Decode the newest frame, as stages.serving.reading.reader does; or write a small one."""
        if self._count >= self._most:
            time.sleep(0.05)
            return None
        self._count += 1
        if self._small:
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
    return describe(package)


def summary(package: Path, task: Task) -> Summary:
    return Summary(
        task="pose", takes="pictures", name="", version="", labels=[], sources=[], columns=[]
    )


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
    with tempfile.TemporaryDirectory() as folder:
        package, camera = Path(folder) / "package", Path(folder) / "camera"
        package.write_text(json.dumps({"delay_ms": delay_ms, "is_phased": is_phased}))
        camera.write_text(json.dumps({"fps": fps or FASTER * 1000 / delay_ms}))
        name = "benchmarks.serving"
        feed = start(package, [str(camera)], Settings(tasks=name, readers=name))
        feed.want("camera", "viewer", VIEWER_FPS)
        ages: list[float] = []
        start_s = None
        while start_s is None or time.monotonic() - start_s < seconds:
            for message in feed.messages(0.2):
                if message["kind"] == "update":
                    if start_s is not None:
                        ages.append(message["age_ms"])
                    start_s = start_s or time.monotonic() + 0.3
        rate = len(ages) / (time.monotonic() - start_s)
        feed.close()
    return rate, ages
