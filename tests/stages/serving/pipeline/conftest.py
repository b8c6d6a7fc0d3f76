"""Runs of a real pipeline with stand-ins for the task and the cameras."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.serving.pipeline.feed import Pipeline
from stages.serving.pipeline.launch import start
from stages.serving.pipeline.settings import Settings

STAND_INS = "tests.stages.serving.pipeline.stand_ins"
FAST: dict[str, Any] = {
    "tasks": STAND_INS,
    "readers": STAND_INS,
    "watchdog_s": 5.0,
    "answer_s": 0.1,
    "backoff_s": 0.01,
    "probe_s": 0.05,
    "state_s": 0.05,
}


class Run:
    """A pipeline and everything that it said."""

    def __init__(self, feed: Pipeline, folder: Path) -> None:
        self.feed, self.folder = feed, folder
        self.messages: list[Any] = []

    def until(self, holds: Callable[[Any], Any], timeout_s: float = 20.0) -> Any:
        """Return the next message for which this holds."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            found = self.feed.messages(0.5)
            self.messages += found
            for at, message in enumerate(found):
                if holds(message):
                    self.messages = self.messages[: len(self.messages) - len(found) + at + 1]
                    return message
        raise AssertionError(f"nothing like it within {timeout_s} s: {self.messages[-5:]}")

    def update(self, after: int = -1) -> Any:
        return self.until(lambda m: m["kind"] == "update" and m["frame"] > after)

    def worker(self, status: str) -> Any:
        return self.until(lambda m: m["kind"] == "worker" and m["status"] == status)

    def picture(self, source: str, drawn: bool = True) -> Any:
        """Return the next picture of a source."""
        self.feed.want(source, "test", 50, drawn)
        before = self.feed.picture(source, drawn)
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            found = self.feed.picture(source, drawn)
            if found and (before is None or found.frame > before.frame):
                return found
            time.sleep(0.005)
        raise AssertionError("no picture")

    def starts(self) -> list[str]:
        return (self.folder / "starts").read_text().split()


def is_running(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def run(tmp_path, monkeypatch) -> Iterator[Callable[..., Run]]:
    """Start pipelines: of what the task does, and of what each camera does."""
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    started: list[Run] = []

    def begin(about: dict[str, Any], *cameras: dict[str, Any], **settings: Any) -> Run:
        folder = tmp_path / f"run{len(started)}"
        folder.mkdir()
        monkeypatch.setenv("STAND_IN", str(folder))
        if about.pop("plugged", False):
            (folder / "plugged").touch()
        (folder / "package").write_text(json.dumps(about))
        paths = [folder / f"camera{at}" for at in range(len(cameras))]
        for path, camera in zip(paths, cameras, strict=True):
            path.write_text(json.dumps(camera))
        feed = start(
            folder / "package", [str(path) for path in paths], Settings(**{**FAST, **settings})
        )
        started.append(Run(feed, folder))
        return started[-1]

    yield begin
    for one in started:
        one.feed.close()
