"""Runs the stage `dataset` on a folder."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stages.detection import _truth
from stages.detection.annotations import _findings
from stages.detection.dataset import dataset
from stages.training import findings, parts

PARTS = {"train": "train", "val": "train/validation", "test": "test"}


@dataclass(frozen=True)
class Made:
    """metrics and notes of the stage, its outputs, and what they say of each picture."""

    metrics: dict[str, float]
    notes: list[str]
    folder: Path

    def counted(self) -> dict[str, float]:
        """Return what was wrong, by kind."""
        return {kind: self.metrics[kind] for kind in _findings.KINDS if self.metrics[kind]}

    def part(self, name: str) -> _truth.Truth:
        return _truth.read(self.folder / PARTS[name])

    def names(self, name: str) -> list[str]:
        """Return the file names in a part, without folders."""
        folder = self.folder / PARTS[name]
        return [Path(one).name for one in _truth.read(folder).names] if folder.exists() else []

    def objects(self, name: str) -> "list[tuple[str, list[float]]] | None":
        """Return the labels and boxes of a picture by its file name; None if it is in no part."""
        for part in PARTS:
            if name in self.names(part):
                found = self.part(part).of(self.names(part).index(name))
                labels = [found.labels[at] for at in found.classes]
                boxes = [[round(float(side), 3) for side in box] for box in found.boxes]
                return list(zip(labels, boxes, strict=True))
        return None


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Made]:
    """Run the stage on a folder."""
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def run(root: Path, **params: Any) -> Made:
        notes: list[str] = []
        for module in (findings, parts):
            monkeypatch.setattr(module, "note", notes.append)
        out = tmp_path / f"out{next(numbers)}"
        out.mkdir()
        metrics = dataset(root, out / "train", out / "test", **{"size": 32, **params})
        return Made(dict(metrics), notes, out)

    return run
