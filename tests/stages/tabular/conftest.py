"""Tables, written as people write them, and what the stage and its parts make of them."""

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine import stage
from stages.tabular import dataset as stage_module
from stages.tabular.formats import _find
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Table
from tests.stages.files import write

COLOURS = ("red", "blue", "green")


def lines(rows: int, seed: int = 0) -> list[list[str]]:
    """Return cells a, b, y: a number, a colour, and yes if the number is large, with few exceptions."""
    chance = random.Random(seed)
    found = []
    for at in range(rows):
        a = round(chance.uniform(0, 100), 3)
        is_large = (a > 50) != (at % 25 == 0)
        found.append([str(a), chance.choice(COLOURS), "yes" if is_large else "no"])
    return found


def csv(rows: list[list[str]], *names: str) -> str:
    header = [list(names)] if names else []
    return "".join(",".join(row) + "\n" for row in [*header, *rows])


class Said:
    """What a stage has reported so far, in a file as in a run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    @property
    def notes(self) -> list[str]:
        return [one["text"] for one in self.events if one["event"] == "note"]

    def figures(self, kind: str) -> dict[str, dict[str, Any]]:
        found = [one for one in self.events if one["event"] == "figure" and one["kind"] == kind]
        return {one["name"]: one for one in found}


@pytest.fixture
def said(tmp_path, monkeypatch) -> Iterator[Said]:
    path = tmp_path / "events.jsonl"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    monkeypatch.setattr(stage, "_events", file)
    yield Said(path)
    os.close(file)


@dataclass
class Read:
    """A table, and the kinds of findings that are not zero."""

    table: Table
    findings: Findings

    @property
    def counts(self) -> dict[str, float]:
        return {kind: count for kind, count in self.findings.counts().items() if count}

    @property
    def rows(self) -> list[tuple[str, ...]]:
        return list(zip(*self.table.columns, strict=True))


@pytest.fixture
def read(tmp_path, said) -> Callable[..., Read]:
    """Write these files, and read them as a table; `only`: read this file instead of the folder."""

    def done(
        files: dict[str, str | bytes],
        only: str = "",
        query: str | None = None,
        header: bool | None = None,
    ) -> Read:
        root = write(tmp_path / "data", files)
        findings = Findings()
        return Read(_find.read(root / only, query, header, findings), findings)

    return done


@dataclass
class Made:
    """The outputs of the stage, its metrics that are not zero, and what it reported."""

    folder: Path
    metrics: dict[str, float]
    said: Said

    @property
    def columns(self) -> dict[str, dict[str, Any]]:
        found = json.loads((self.folder / "columns" / "columns.json").read_text(encoding="utf-8"))
        return {one["name"]: one for one in found["columns"]}


@pytest.fixture
def make(tmp_path, said) -> Callable[..., Made]:
    """Write a table, and run the stage `dataset` on it."""

    def done(content: "str | bytes | dict[str, str | bytes]", **params: Any) -> Made:
        files = content if isinstance(content, dict) else {"rows.csv": content}
        write(tmp_path / "table", files)
        root = tmp_path / "table"
        only = root if len(files) > 1 else root / next(iter(files))
        folders = [tmp_path / "out" / name for name in ("train", "test", "columns")]
        metrics = stage_module.dataset(only, *folders, **params)
        return Made(tmp_path / "out", {k: v for k, v in metrics.items() if v}, said)

    return done
