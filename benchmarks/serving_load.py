"""Measures what the server costs and bears: memory over a million frames, viewers, the CPU, the first answer.

- 1,000,000 frames with an accelerator that needs no time: the memory of all processes, as serving_memory.svg
- 20 clients of `wrk` at the page's API and pictures, with a simulated accelerator of 7 ms: answers a second
- with MODEL (.tflite, int8, a picture in): answers a second on the CPU, beside decoding and invoking alone
- with PACKAGE and SOURCE: seconds to the first answer, and the memory of all processes, with a viewer
Usage: benchmarks/serving_load.py [frames=1000000] [out=FOLDER] [model=MODEL] [package=PACKAGE source=SOURCE]
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import serving  # noqa: E402

SECONDS, ROUNDS, CLIENTS, DELAY_MS = 5.0, 3, 20, 7.0
SMALL_FPS = 5000
PATHS = ("/api/state", "/api/updates", "/pictures/camera.jpg", "/metrics")


def main(frames: int, out: str, model: str, package: str, source: str) -> None:
    """Print the figures."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if package:
        first_answer(Path(package), source)
    if model:
        on_cpu(Path(model).resolve())
    if shutil.which("wrk"):
        viewers()
    else:
        print("wrk is not installed: viewers are not measured")
    many_frames(frames, Path(out))


def first_answer(package: Path, source: str) -> None:
    """Print the seconds from the command to the first answer, and the memory of all processes."""
    from stages.serving.pipeline.machine import memory_mb

    times, memory = [], 0.0
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            words = [str(package), f"source={source}", "port=0", f"state={folder}"]
            start_s = time.monotonic()
            server = subprocess.Popen(
                [sys.executable, "-m", "stages.serving", *words],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert server.stdout
            address = next(line for line in server.stdout if line.startswith("open ")).split()[1]
            token = (Path(folder) / "token").read_text().strip()
            while not asked(f"{address.rstrip(';')}api/updates", token):
                time.sleep(0.01)
            times.append(time.monotonic() - start_s)
            words = ["curl", "-s", "-o", os.devnull, "-u", f"x:{token}"]
            viewer = subprocess.Popen(
                [*words, f"{address.rstrip(';')}pictures/{Path(source).stem}"]
            )
            time.sleep(4)
            memory = sum(memory_mb(pid) for pid in family(server.pid))
            viewer.terminate()
            server.terminate()
            viewer.wait()
            server.communicate()
    print(f"first answer after {statistics.median(times):.2f} s; {memory:.0f} MB in all processes")


def asked(address: str, token: str) -> Any:
    """Return the JSON data of an address, or None."""
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(address, headers={"Authorization": f"Bearer {token}"})) as reply:
            found = json.load(reply)
            return found.get("updates", found)
    except (OSError, ValueError):
        return None


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        found += [int(child) for child in children]
    return found


def on_cpu(model: Path) -> None:
    """Print the rate of a model on the CPU, and of decoding and invoking alone."""
    import numpy as np

    from stages.tflite.model import open_model

    opened = open_model(model)
    ((name, tensor),) = opened.inputs.items()
    raw = {name: np.zeros(tensor.shape, tensor.type)}
    jpegs = serving.jpegs()
    alone_ms = min(
        statistics.mean(
            timed_ms(lambda at=at: serving.decoded(jpegs[at % len(jpegs)]))
            + timed_ms(lambda: opened.run(raw))
            for at in range(50)
        )
        for _ in range(ROUNDS)
    )
    about = {"delay_ms": 0.0, "is_phased": True, "model": str(model)}
    camera = {"fps": serving.FASTER * 1000 / alone_ms}
    rate = max(served(about, camera)[0] for _ in range(ROUNDS))
    print(
        f"{model.stem}: {rate:.1f} answers/s, {rate * alone_ms / 1000:.2f} of {1000 / alone_ms:.1f}, "
        "the rate of decoding and invoking alone, one after the other"
    )


def timed_ms(run: Any) -> float:
    start_s = time.perf_counter()
    run()
    return (time.perf_counter() - start_s) * 1000


def served(about: dict[str, Any], camera: dict[str, Any]) -> tuple[float, list[float]]:
    """Return answers per second without a viewer."""
    with serving.pipeline(about, camera) as feed:
        return serving.observed(feed, SECONDS)


def viewers() -> None:
    """Print the rate without and with clients of the page, in turn."""
    from stages.serving.events.hub import Hub
    from stages.serving.web.server import Server
    from stages.serving.web.settings import Settings

    about = {"delay_ms": DELAY_MS, "is_phased": True}
    with (
        tempfile.TemporaryDirectory() as state,
        serving.pipeline(about, {"fps": serving.FASTER * 1000 / DELAY_MS}) as feed,
    ):
        counting = Counting(feed)
        hub = Hub(counting).start()
        server = Server(hub, Settings(Path(state), port=0), None, lambda text: None)
        server.start()
        token = (Path(state) / "token").read_text().strip()
        feed.want("camera", "viewer", serving.VIEWER_FPS)
        time.sleep(serving.WARM_S)
        quiet, busy, asked_s = [], [], []
        for at in range(2 * ROUNDS):
            quiet.append(counting.rate(SECONDS))
            path = PATHS[at % len(PATHS)]
            words = ["wrk", "-c", str(CLIENTS), "-t", "1", "-d", f"{SECONDS + 1:.0f}s"]
            words += ["-H", f"Authorization: Bearer {token}"]
            words += [f"http://127.0.0.1:{server.port}{path}"]
            wrk = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            busy.append(counting.rate(SECONDS))
            said = wrk.communicate()[0]
            asked_s += [line.split()[1] for line in said.splitlines() if "Requests/sec" in line]
        server.close()
        hub.close()
    cost = 1 - statistics.median(busy) / statistics.median(quiet)
    print(
        f"{CLIENTS} clients of wrk ({', '.join(asked_s)} requests/s): "
        f"{statistics.median(quiet):.1f} answers/s without, {statistics.median(busy):.1f} with them: "
        f"they cost {cost:.1%}"
    )


class Counting:
    """A feed that counts the answers that pass."""

    def __init__(self, feed: Any) -> None:
        self._feed, self._count = feed, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def messages(self, timeout_s: float) -> Any:
        found = self._feed.messages(timeout_s)
        self._count += sum(one["kind"] == "update" for one in found)
        return found

    def rate(self, seconds: float) -> float:
        """Return the answers per second over some seconds."""
        before, start_s = self._count, time.monotonic()
        time.sleep(seconds)
        return (self._count - before) / (time.monotonic() - start_s)


def many_frames(frames: int, out: Path) -> None:
    """Print the memory over many frames, and draw it."""
    about = {"delay_ms": 0.0, "is_phased": True}
    points: list[tuple[int, float]] = []
    answered, next_s = 0, 0.0
    start_s = time.monotonic()
    with serving.pipeline(about, {"fps": SMALL_FPS, "small": True}) as feed:
        feed.want("camera", "viewer", serving.VIEWER_FPS)
        while answered < frames:
            answered += sum(one["kind"] == "update" for one in feed.messages(0.1))
            if answered > frames / 100 and time.monotonic() >= next_s:
                next_s = time.monotonic() + 2
                pids = feed.processes().values()
                points.append((answered, sum(own_mb(pid) for pid in pids)))
    took_s = time.monotonic() - start_s
    first, last = (statistics.median(mb for _, mb in part) for part in (points[:5], points[-5:]))
    out.mkdir(parents=True, exist_ok=True)
    (out / "serving_memory.svg").write_text(drawn(points), encoding="utf-8")
    print(
        f"{answered:,} answers in {took_s:.0f} s ({answered / took_s:,.0f}/s): {first:.1f} MB at first, "
        f"{last:.1f} MB at the end; see {out / 'serving_memory.svg'}"
    )


def own_mb(pid: int) -> float:
    """Return a process's share of memory without files, such as libraries, which other programs share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = {line.split()[0]: line.split()[1] for line in lines[1:]}
    return (int(kilobytes["Pss_Anon:"]) + int(kilobytes["Pss_Shmem:"])) / 1024


def drawn(points: list[tuple[int, float]]) -> str:
    """Return a plot of memory over answers as a page of SVG."""
    width, height, left, below = 720, 300, 60, 40
    most_x, most_y = points[-1][0], 1.25 * max(mb for _, mb in points)

    def place(x: float, y: float) -> str:
        right, up = (width - left - 20) * x / most_x, (height - below - 20) * y / most_y
        return f"{left + right:.1f},{height - below - up:.1f}"

    line = " ".join(place(x, y) for x, y in points)
    style = 'font-family="sans-serif" font-size="12"'
    marks = [
        f'<text x="{left - 8}" y="{place(0, mb).split(",")[1]}" text-anchor="end">{mb:.0f}</text>'
        for mb in (0, most_y / 2, most_y)
    ]
    marks += [
        f'<text x="{place(x, 0).split(",")[0]}" y="{height - below + 18}" '
        f'text-anchor="{anchor}">{x:,.0f}</text>'
        for x, anchor in ((0, "middle"), (most_x / 2, "middle"), (most_x, "end"))
    ]
    axes = f"M{place(0, most_y)} L{place(0, 0)} L{place(most_x, 0)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>'
        f'<rect width="100%" height="100%" fill="white"/><path d="{axes}" fill="none" stroke="grey"/>'
        f'{"".join(marks)}<text x="{left}" y="14">memory of all processes without files (PSS), MB</text>'
        f'<text x="{width - 20}" y="{height - 6}" text-anchor="end">answers</text>'
        f'<polyline points="{line}" fill="none" stroke="#2563eb" stroke-width="2"/></svg>\n'
    )


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    defaults = {"out": "outputs/benchmarks", "model": "", "package": "", "source": ""}
    main(int(given.pop("frames", "1000000")), **{**defaults, **given})
