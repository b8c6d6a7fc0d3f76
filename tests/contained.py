"""A user's folder whose stages run in containers of a real engine, in an image with only Debian's Python."""

import json
import platform
import socket
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from subprocess import CompletedProcess, Popen
from typing import Any, Self

from engine import images
from engine.containers import loading
from engine.containers.options import LABEL
from engine.events import RunState
from engine.image_catalogue import BUILDERS
from engine.signature import Library
from engine.target import platform_of
from tests import services
from tests.conftest import ROOT, Project

HERE = platform_of(platform.machine())
IMAGE = "description: Python alone\nplatforms: [linux/amd64, linux/arm64]\n"
SLOW = """
    import time
    from pathlib import Path
    from engine.stage import Out, note
    def only(data: Out, *, seconds: float = 4) -> None:
        \"\"\"Say that it runs, take its time, then write.\"\"\"
        Path("ready").touch()
        note("it runs")
        time.sleep(seconds)
        data.write_text("done")
"""
DOES = """
    import mmap, os, signal, socket, subprocess, sys, time
    from pathlib import Path
    from engine.stage import Out
    def only(data: Out, *, code: str) -> None:
        \"\"\"Do as the test says, then write what it found.\"\"\"
        here = {}
        exec(code, globals() | {"data": data}, here)
        data.write_text(str(here.get("text", "done")))
"""


READS = """
    import json, os
    from engine.stage import In, Out
    def only(given: In, data: Out) -> None:
        \"\"\"Try to change what is given.\"\"\"
        done = []
        for attempt in (lambda: (given / "a").write_text("after"), lambda: (given / "b").touch(), lambda: os.chmod(given / "a", 0)):
            try:
                attempt()
                done.append("changed")
            except OSError:
                pass
        data.write_text(json.dumps(done))
"""


_loaded: dict[str, str] = {}  # engine -> image


class Contained:
    """The folder, and the engine that its stages run on."""

    def __init__(
        self, project: Project, engine: services.DockerEngine, archive: Path, *words: str
    ) -> None:
        self.project, self.engine, self.archive, self.words = (
            project,
            engine,
            archive,
            ("base=bootstrap", *words),
        )
        definition = project.path / "containers" / "plain" / "image.yaml"
        definition.parent.mkdir(parents=True)
        definition.write_text(IMAGE)
        library = Library(("stages",), [project.path, ROOT])
        sources = {
            module: digest
            for name in BUILDERS
            for module, digest in library.signature(name, name).sources.items()
        }
        [image] = [
            one
            for one in images.read(definition.parents[1], sources, "bootstrap")
            if one.platform == HERE
        ]
        self.full_name = image.full_name
        self.load()

    def load(self) -> None:
        """Make sure that the engine has the image under its name."""
        images = self.engine.client().images
        if _loaded.get(self.engine.host) not in [image.id for image in images.list(self.full_name)]:
            _loaded[self.engine.host] = loading.load(
                self.engine.client(), self.full_name, self.archive
            ).id

    def beside(self, name: str) -> "Contained":
        """The same with a separate outputs folder."""
        other = object.__new__(Contained)
        other.__dict__.update(self.__dict__, project=self.project.beside(name))
        return other

    def slow(self, **keys: Any) -> None:
        """Write the use case `one` with a slow stage."""
        self.project.only_stage(SLOW, **keys)

    def does(self, code: str, **keys: Any) -> None:
        """Write the use case `one` with a stage that does this."""
        self.project.only_stage(DOES, **{"params": {"code": code}, **keys})

    def takes(self, given: Path, **keys: Any) -> None:
        """Write the use case `one` with a stage that reads this."""
        self.project.stage("only", READS)
        stages = {"s": {"uses": "mystages.only", "inputs": {"given": "asset:mine"}, **keys}}
        self.project.usecase(
            "one", json.dumps({"name": "one", "assets": {"mine": str(given)}, "stages": stages})
        )

    def start(self, *words: str) -> "Popen[str]":
        """Start run.py in the folder."""
        return self.project.start(*self.words, "usecase=one", *words)

    def run(self, *words: str, timeout_s: float = 60) -> "CompletedProcess[str]":
        """Run run.py in the folder to its end."""
        return self.project.run(*self.words, "usecase=one", *words, timeout_s=timeout_s)

    def done(self, *words: str) -> RunState:
        """Run to exit status 0, and return the state of that run."""
        return self.project.done(*self.words, "usecase=one", *words)

    def fails(self, *words: str) -> dict[str, Any]:
        """Run to exit status 1, and return how the stage failed."""
        result = self.run(*words)
        assert (result.returncode, "Traceback" in result.stderr) == (1, False), (
            f"{result.stdout}\n{result.stderr}"
        )
        failure = self.project.state().stages["s"].failure
        assert failure
        return dict(failure)

    def refused(self, *words: str) -> list[str]:
        """Run to exit status 2, and return the three lines on standard error."""
        result = self.run(*words)
        lines = [
            line.strip() for line in result.stderr.splitlines() if not line.startswith("images: ")
        ]
        assert (result.returncode, len(lines)) == (2, 3), f"{result.stdout}\n{result.stderr}"
        return lines

    def says(self, code: str, *words: str, **keys: Any) -> str:
        """Return the value of `text` after this code in a stage."""
        self.does(code, **keys)
        self.done(*words)
        return (self.project.last / "artifacts" / "s" / "data").read_text()

    def containers(self) -> list[Any]:
        """All containers of this folder's jobs, running or not."""
        return list(
            self.engine.client().containers.list(
                all=True,
                ignore_removed=True,
                filters={"label": f"{LABEL}={self.project.store.root}"},
            )
        )

    def at_work(self, *words: str) -> tuple["Popen[str]", Any]:
        """Start run.py, wait until its stage is running, and return both run.py and the stage's container."""
        return self.start(*words), self.until_at_work()

    def until_at_work(self) -> Any:
        """Wait until the stage is running; return its container."""
        self.project.until(lambda: list(self.project.store.root.glob("work/*/s-*/cwd/ready")))
        [container] = self.containers()
        return container

    def events(self, since: int) -> list[tuple[str, str]]:
        """The events (what, stage) of this folder's containers since then, in whole seconds."""
        label = [
            f"{LABEL}={self.project.store.root}",
            f"{LABEL}.stage",
        ]  # without containers that only transferred files
        until = int(time.time()) + 1
        told = self.engine.client().events(
            since=since, until=until, decode=True, filters={"type": "container", "label": label}
        )
        with closing(told):
            return [(one["Action"], one["Actor"]["Attributes"][f"{LABEL}.stage"]) for one in told]

    def created(self, since: int) -> int:
        """The number of containers created for this folder's jobs since then."""
        return Counter(what for what, _ in self.events(since))["create"]

    def had_twins(self, since: int) -> bool:
        """Return whether two containers of one stage ran at the same time."""
        running: Counter[str] = Counter()
        for what, stage in self.events(since):
            running[stage] += {"start": 1, "die": -1}.get(what, 0)
            if running[stage] > 1:
                return True
        return False


class Relay:
    """A socket that forwards everything to an engine's socket, until its connections are cut."""

    def __init__(self, to: Path, at: Path) -> None:
        self._to, self._open = to, set[socket.socket]()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(at))
        self._listener.listen()
        self.host = f"unix://{at}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Break every connection, and accept no more."""
        if self._listener.fileno() != -1:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection; accept new ones."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, far = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                far.connect(str(self._to))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        self._open.add(source)
        with source, suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        self._open.discard(source)


def answering(version: str, at: Path) -> str:
    """Serve as an engine that supports only this version of the API, and return its address."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(at))
    listener.listen()
    body = json.dumps({"ApiVersion": version, "Version": "1.0"}).encode()

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(
                    (
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: "
                        b"application/json\r\nContent-Length: %d\r\n\r\n%b"
                    )
                    % (len(body), body)
                )

    threading.Thread(target=serve, daemon=True).start()
    return f"unix://{at}"
