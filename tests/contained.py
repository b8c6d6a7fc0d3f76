"""A user's folder whose stages run in containers of a real engine, in an image that has the tests' own Python and nothing else."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import images
from engine.commands._executors import BUILDERS
from engine.executors import _engine
from engine.executors._options import LABEL
from engine.signature import Library
from engine.target import platform_of
from tests import services
from tests.conftest import ROOT, Project

IMAGE = "description: the Python of the tests\nplatforms: [linux/amd64, linux/arm64]\n"
SLOW = """
    import time
    from pathlib import Path
    from engine.stage import Out, note
    def only(data: Out, *, seconds: float = 3, text: str = "done") -> None:
        \"\"\"Say that it runs, take its time, then write.\"\"\"
        Path("ready").touch()
        note("it runs")
        time.sleep(seconds)
        data.write_text(text)
"""
DOES = """
    import ctypes, mmap, os, signal, socket, subprocess, sys, tempfile, time
    from pathlib import Path
    from engine.stage import In, Out, StageError, note
    def only(data: Out, *, code: str, given: In | None = None) -> None:
        \"\"\"Do as the test says, then write what it found.\"\"\"
        here = {}
        exec(code, globals() | {"given": given}, here)
        data.write_text(str(here.get("text", "done")))
"""


class Contained:
    """The folder, and the engine that its stages run on."""

    def __init__(self, project: Project, engine: services.DockerEngine, archive: Path) -> None:
        self.project, self.engine, self.archive = project, engine, archive
        self.words = ["executor=docker", "base=bootstrap"]
        place = project.path / "containers" / "plain" / "image.yaml"
        place.parent.mkdir(parents=True)
        place.write_text(IMAGE)
        library = Library(("stages",), [project.path, ROOT])
        sources = {module: digest for name in BUILDERS for module, digest in library.signature(name, name).sources.items()}
        here = platform_of(platform.machine())
        [self.image] = [one for one in images.read(place.parents[1], sources, "bootstrap") if one.platform == here]
        self.load()

    def load(self) -> None:
        """Give the engine the image."""
        _engine.load(self.engine.client(), self.image.reference, self.archive)

    def beside(self, name: str) -> "Contained":
        """The same with outputs of its own."""
        other = object.__new__(Contained)
        other.__dict__.update(self.__dict__, project=self.project.beside(name))
        return other

    def does(self, code: str, **keys: Any) -> None:
        """Make the use case `one` of a stage that does this."""
        self.project.only_stage(DOES, params={"code": code}, **keys)

    def start(self, *words: str) -> Any:
        """Start run.py on the folder."""
        return self.project.start(*self.words, *words)

    def run(self, *words: str, timeout_s: float = 60) -> Any:
        """Run run.py on the folder to its end."""
        return self.project.run(*self.words, *words, timeout_s=timeout_s)

    def done(self, *words: str) -> Any:
        """Run to exit status 0, and return the state of that run."""
        return self.project.done(*self.words, *words)

    def fails(self, *words: str, timeout_s: float = 60) -> dict[str, Any]:
        """Run the use case `one` to exit status 1, and return how its stage failed."""
        result = self.run("usecase=one", *words, timeout_s=timeout_s)
        assert result.returncode == 1, f"{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr
        return self.project.state().stages["s"].failure

    def says(self, code: str, **keys: Any) -> str:
        """Return what `text` is after this code in a stage."""
        self.does(code, **keys)
        self.done("usecase=one")
        return (self.project.last / "artifacts" / "s" / "data").read_text()

    def containers(self) -> list[Any]:
        """All containers of this folder's jobs, running or not."""
        return self.engine.client().containers.list(all=True, filters={"label": f"{LABEL}={self.project.store.root}"})

    def running(self) -> list[Any]:
        """Those that run."""
        return [one for one in self.containers() if one.status == "running"]

    def until_at_work(self) -> Any:
        """Wait until the stage `s` is at work; return its container."""
        self.project.until(lambda: list(self.project.store.root.glob("work/*/s-*/cwd/ready")))
        return self.project.until(self.running)[0]

    def created(self, since: int) -> int:
        """How many containers were made for this folder's jobs since then (whole seconds)."""
        told = self.engine.client().events(
            since=since,
            until=int(os.times().elapsed * 0) + _now(),
            decode=True,
            filters={"event": "create", "label": f"{LABEL}={self.project.store.root}"},
        )
        return len(list(told))


def _now() -> int:
    import time

    return int(time.time()) + 1


def processes_of(containers: list[Any]) -> Iterator[int]:
    """Yield the processes in these containers."""
    for one in containers:
        yield from (int(row[1]) for row in one.top()["Processes"])
