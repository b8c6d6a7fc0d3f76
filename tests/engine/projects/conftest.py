"""A Git repository with an MLflow Project, and a use case's folder."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

WHO = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}


@dataclass(frozen=True)
class Repository:
    """A repository whose folder `fit` has a project."""

    path: Path

    @property
    def url(self) -> str:
        return self.path.as_uri()

    def git(self, *words: str) -> str:
        """Run git in it."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.path,
            env={**os.environ, **WHO},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        """Commit another content of fit/train.py, and return the commit."""
        (self.path / "fit").mkdir(exist_ok=True)
        (self.path / "fit" / "train.py").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with the tag v1 and a later commit on its branch."""
    made = Repository(tmp_path / "repository")
    made.path.mkdir()
    made.git("init", "-q", "-b", "trunk")
    made.commit("one")
    made.git("tag", "-am", "first", "v1")
    made.commit("two")
    return made
