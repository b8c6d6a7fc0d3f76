"""Commands given in this process: `run.cli` with the words of a command line, its exit status, and what it printed."""

import importlib.util
import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import layout, signature

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, without the spaces round a line."""
        return [line.strip() for line in self.out.splitlines()]


def _cli():
    found = importlib.util.spec_from_file_location("command_line", ROOT / "run.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.cli


@pytest.fixture
def give(project, capfd, monkeypatch) -> Callable[..., Said]:
    """Give a command on the project; each run is a second later than the one before, however fast they are."""
    seconds, new_run_dir = itertools.count(), layout.new_run_dir
    monkeypatch.setattr(layout, "new_run_dir", lambda o, u, t, now: new_run_dir(o, u, t, now + next(seconds)))
    monkeypatch.chdir(project.path)

    def given(*words: str) -> Said:
        if not any(word.startswith("usecase=") for word in words):
            words = (*words, "usecase=chain")
        signature._parsed.cache_clear()  # each command is a process of its own
        capfd.readouterr()
        argv = ["--config-dir", str(project.path / "conf"), "stage_packages=[mystages]", "tracking=none", f"outputs={project.outputs}"]
        status = _cli()([*argv, *words])
        return Said(status, *capfd.readouterr())

    return given


@pytest.fixture
def ran(project, give, chain_outputs):
    """The project after one run of its chain, copied from one that was really run."""
    shutil.copytree(chain_outputs, project.outputs, symlinks=True)
    return project


@pytest.fixture(scope="session")
def chain_outputs(tmp_path_factory):
    """The outputs of one run of the chain."""
    from tests.conftest import Project

    made = Project(tmp_path_factory.mktemp("chain"))
    made.done()
    return made.outputs
