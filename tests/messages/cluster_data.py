"""Mistakes in where a cluster's images and data are stored, and in the code of its images."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from engine import digest, job_code
from engine.errors import UserError
from engine.kubeflow import registry
from engine.kubeflow.data import DataRoot
from engine.kubeflow.images import place
from tests.messages.rows import Row, Subject, Told, told

Cause = Callable[[Path], object]


def provoke(cause: Cause, folder: Path) -> Sequence[Told]:
    """Return the messages of what the cause raises."""
    with pytest.raises(UserError) as found:
        cause(folder)
    return told(found.value, folder)


def _root(folder: Path) -> DataRoot:
    return DataRoot(str(folder), lambda *_: None)


def _changed(folder: Path) -> None:
    (folder / "file").write_text("1")
    known = digest.of(folder / "file")
    (folder / "file").write_text("2")
    _root(folder).put(folder / "file", known)


def _damaged(folder: Path) -> None:
    (folder / "file").write_text("1")
    root = _root(folder)
    root.get(
        root.put(folder / "file", digest.of(folder / "file")), folder / "x", "file:" + "0" * 64
    )


def _blocked(folder: Path) -> None:
    (folder / "by-digest").write_text("not a folder")
    (folder / "file").write_text("1")
    _root(folder).put(folder / "file", digest.of(folder / "file"))


def _without_fsspec(folder: Path) -> None:
    with patch.dict(sys.modules, {"fsspec": None}):
        DataRoot("s3://bucket/p", lambda *_: None)


def _code_gone(folder: Path) -> None:
    job_code._digest([("0/mine/a.py", folder / "none.py")])


def _code_changed(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "a.py").write_text("1")
    code = job_code.find((folder,), ("mine",))
    (folder / "mine" / "a.py").write_text("2")
    job_code.lay_out(code, folder / "store")


def _login_damaged(folder: Path) -> None:
    (folder / "config.json").write_text('{"auths": {"r.example.org": {"auth": "%%%"}}}')
    with patch.dict(os.environ, {"DOCKER_CONFIG": str(folder), "REGISTRY_USER": ""}):
        registry._credentials("r.example.org")


ROOT = "kubeflow.data_root="
ROWS: dict[str, Row] = {
    "no_registry": (lambda _: place(None), "kubeflow.registry", "registry", "HOST:PORT/PATH"),
    "odd_registry": (lambda _: place("team"), "kubeflow.registry", "'team'", "HOST:PORT/PATH"),
    "registry_login": (
        _login_damaged,
        "kubeflow.registry=r.example.org",
        "docker login",
        "docker login",
    ),
    "no_bucket": (
        lambda _: DataRoot("s3://", lambda *_: None),
        f"{ROOT}s3://",
        "bucket",
        "s3://BUCKET/PREFIX",
    ),
    "odd_scheme": (
        lambda _: DataRoot("az://x", lambda *_: None),
        f"{ROOT}az://x",
        "'az'",
        "a folder",
    ),
    "no_folder": (
        lambda folder: _root(folder / "none"),
        f"{ROOT}{{here}}/none",
        "folder",
        "create it",
    ),
    "without_fsspec": (_without_fsspec, "kubeflow.data_root", "fsspec", "pip install"),
    "elsewhere": (
        lambda folder: _root(folder).read("/etc/passwd", 1),
        "/etc/passwd",
        "below",
        "kubeflow.data_root",
    ),
    "blocked": (_blocked, f"{ROOT}{{here}}", "written", "writable"),
    "changed": (_changed, "{here}/file", "changed", "repeat"),
    "damaged": (
        _damaged,
        "{here}/by-digest/6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
        "damaged",
        "delete it",
    ),
    "code_gone": (_code_gone, "{here}/none.py", "read", "chmod"),
    "code_changed": (_code_changed, "stage_packages", "changed", "repeat"),
}
SUBJECTS = {"cluster_data": Subject(ROWS, provoke)}
