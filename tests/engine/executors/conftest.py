"""An executor under test: job folders are laid out for it as the scheduler does, and its processes are counted."""

import importlib
import os
import time
import uuid
from pathlib import Path

import pytest

from engine import check, jobfolder, spec
from engine.check import Placement
from engine.jobfolder import Ended, JobFolder, Launch
from engine.plan import ResolvedAsset, settle
from engine.signature import Library
from engine.store import Store

ROOT = Path(__file__).resolve().parents[3]
MARK = "RPI_MLOPS_TEST_EXECUTOR"  # in the environment of the executor, and so of every process that it starts
PLACES = dict.fromkeys(("build", "target"), Placement("linux/amd64", False, "x86_64"))

ACT = '''
import os, signal, subprocess, sys, tempfile, time
from pathlib import Path
from engine.stage import Out, StageError, metric, progress
def act(data: Out, *, code: str) -> dict:
    """Do as the test says, then write the output."""
    here = {}
    exec(code, globals() | {"data": data}, here)
    data.write_text(str(here.get("text", "done")))
    return here.get("metrics", {})
'''


class Bench:
    """An executor, the job folders that are laid out for it, and the processes that it started."""

    def __init__(self, name: str, folder: Path, mark: str) -> None:
        self.folder, self._mark, self._store = folder, mark, Store(folder / "store")
        (folder / "mystages").mkdir()
        (folder / "mystages" / "act.py").write_text(ACT)
        self.executor = importlib.import_module(f"engine.executors.{name}").Executor([folder, ROOT])

    def lay_out(self, stage: str, keys: dict[str, object], asset: Path | None = None) -> tuple[JobFolder, Launch]:
        """Make the folder of a stage's job, as the scheduler does."""
        usecase = spec.parse({"name": "u", "assets": {"mine": str(asset) if asset else None}, "stages": {stage: keys}}, "u.yaml")
        job = check.check(usecase, Library(["mystages"], [self.folder]), PLACES, "u.yaml").jobs[stage]
        assets = {"mine": ResolvedAsset("mine", "mine", asset, self._store.assets.of(asset), None, "", False)} if asset else {}
        planned = settle(job, {}, assets, self._store)
        folder = jobfolder.lay_out(self.folder / f"{stage}-{uuid.uuid4().hex[:6]}", planned, {}, assets, self._store)
        return folder, Launch(job, folder.path, folder.path / "log")

    def start(self, code: str, stage: str = "s", **keys: object) -> JobFolder:
        """Launch a stage that does this."""
        folder, launch = self.lay_out(stage, {"uses": "mystages.act", "params": {"code": code}, **keys})
        self.executor.launch(launch)
        return folder

    def end(self, jobs: int = 1, within_s: float = 30) -> list[Ended]:
        """Wait until so many jobs have ended."""
        ended: list[Ended] = []
        limit = time.monotonic() + within_s
        while len(ended) < jobs:
            assert time.monotonic() < limit, f"{jobs - len(ended)} jobs did not end within {within_s} s"
            ended += self.executor.wait(0.2)
        return ended

    def until(self, path: Path, within_s: float = 30) -> None:
        """Wait for a file that a stage makes, while its executor is heard."""
        limit = time.monotonic() + within_s
        while not path.exists():
            assert time.monotonic() < limit, f"no {path.name} within {within_s} s"
            assert self.executor.wait(0.05) == []

    def does(self, code: str, **keys: object) -> tuple[JobFolder, Ended]:
        """Launch a stage that does this and wait for its end."""
        folder = self.start(code, **keys)
        [ended] = self.end()
        return folder, ended

    def says(self, expression: str, **keys: object) -> str:
        """Return what the expression is inside a stage."""
        folder, ended = self.does(f"text = {expression}", **keys)
        assert ended.status == 0, (folder.path / "log").read_text()
        return (folder.path / "out" / "data").read_text()

    def processes(self) -> list[int]:
        """The living processes that the executor started."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            if f"{MARK}={self._mark}".encode() not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                return False
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def are_gone(self, processes: list[int], within_s: float = 10) -> bool:
        """Say whether these processes end in time."""
        limit = time.monotonic() + within_s
        while set(processes) & set(self.processes()):
            if time.monotonic() > limit:
                return False
            time.sleep(0.05)
        return True


@pytest.fixture
def make_bench(tmp_path, monkeypatch):
    """Make an executor by its name; whatever it leaves running ends with the test."""
    made = []

    def make(name: str) -> Bench:
        mark = uuid.uuid4().hex
        monkeypatch.setenv(MARK, mark)
        made.append(Bench(name, tmp_path, mark))
        return made[-1]

    yield make
    for bench in made:
        bench.executor.close()
        for pid in bench.processes():
            os.kill(pid, 9)
