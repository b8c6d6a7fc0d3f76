"""Servers as processes, for tests: `python -m stages.serving` with a package and a folder of pictures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.conftest import ROOT
from tests.stages.tasks import packages

CONSTANTS = {"size": 16, "fit": "crop", "threshold": 0.5}


def classifier(folder: Path) -> Path:
    """Write a package that answers `second` to every picture, with probability 0.75."""
    model = packages.always((1, 16, 16, 3), [0.25, 0.75])
    return packages.write(folder, "classify", CONSTANTS, model=model)


def pictures(folder: Path, count: int = 3) -> Path:
    """Write grey pictures."""
    folder.mkdir()
    for n in range(count):
        grey = np.full((24, 32, 3), 40 * n, np.uint8)
        Image.fromarray(grey).save(folder / f"{n}.png")
    return folder


class Running:
    """A server that runs; its output goes to files."""

    def __init__(self, process: subprocess.Popen[str], state: Path) -> None:
        self.process, self.state = process, state

    @property
    def lines(self) -> list[str]:
        return _output(self.state).read_text().splitlines()

    @property
    def log(self) -> str:
        return _output(self.state, "log").read_text()

    def wait_until_open(self, timeout_s: float = 30.0) -> None:
        """Wait for the address of the page."""
        end = time.monotonic() + timeout_s
        while not any(line.startswith("open ") for line in self.lines):
            is_there = self.process.poll() is None and time.monotonic() < end
            assert is_there, f"it does not open: {self.log}"
            time.sleep(0.01)

    @property
    def url(self) -> str:
        found = re.search(r"^open (\S+/)", "\n".join(self.lines), re.MULTILINE)
        assert found
        return found[1]

    @property
    def token(self) -> str:
        return (self.state / "token").read_text().strip()

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return bytes(response.read())

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)

    def children(self) -> list[int]:
        """Return the ids of its child processes."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(one) for one in found.stdout.split()]


@contextmanager
def running(package: Path, state: Path, *words: str) -> Iterator[Running]:
    """A server on any free port, which ends with the block."""
    command = [sys.executable, "-m", "stages.serving", str(package), "port=0", f"state={state}"]
    with (
        _output(state).open("w") as out,
        _output(state, "log").open("w") as log,
        subprocess.Popen(
            [*command, *words], cwd=ROOT, stdout=out, stderr=log, text=True
        ) as process,
    ):
        try:
            yield Running(process, state)
        finally:
            process.kill()


def _output(state: Path, kind: str = "out") -> Path:
    return state.with_suffix(f".{kind}")


def ended(*words: str, package: Path, **environment: str) -> tuple[int, str]:
    """Run a server that does not start; return its exit status and its errors."""
    command = [sys.executable, "-m", "stages.serving", str(package), *words]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def mistakes(text: str) -> Sequence[list[str]]:
    """Return the mistakes in a server's errors, as their lines."""
    return [one.strip().split("\n  ") for one in text.strip().split("\n\n")]
