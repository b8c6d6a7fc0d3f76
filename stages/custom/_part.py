"""Writes the parts that other stages read: examples, truth, and what the package needs to read new ones."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.custom._features import Features
from stages.custom._targets import Targets
from stages.tasks.columns.column import NUMBER, TARGET, Column, Feature
from stages.tasks.columns.schema import AS_IS, Schema
from stages.tflite import part

TENSOR = "row"
ABOUT = "example.json"  # the shape and type of an example


def write(train: Path, test: Path, columns: Path, features: Features, targets: Targets) -> None:
    """Write both parts, and the folder for the package."""
    schema = _schema(features, targets) if len(features.shape) == 1 else None
    about = {"shape": list(features.shape), "type": features.train.dtype.name}
    for folder, x, y in (
        (train, features.train, targets.train),
        (test, features.test, targets.test),
    ):
        part.write(folder, {TENSOR: x})
        np.save(folder / "truth_target.npy", y)
        if targets.labels:
            (folder / "labels.txt").write_text("\n".join(targets.labels) + "\n", encoding="utf-8")
        truth = {"target": targets.name, "task": targets.task, "labels": list(targets.labels)}
        truth |= {"own_split": True, "labels_are_numbers": targets.are_numbers}
        _write_json(folder / "truth.json", truth)
        _write_json(folder / "constants.json", {"size": int(np.prod(features.shape))})
    columns.mkdir(parents=True)
    _write_json(columns / ABOUT, about)
    if schema:
        schema.write(columns)
    _write_items(test, features)


def names_of(features: Features) -> tuple[str, ...]:
    """Return the names of the columns; without a frame, x0, x1 and so on."""
    return features.names or tuple(f"x{at}" for at in range(features.shape[0]))


def _schema(features: Features, targets: Targets) -> Schema:
    """Return the columns of rows; each is given to the model as it is."""
    x = features.train.astype(np.float64)
    columns = [
        Column(
            name,
            NUMBER,
            missing=float(np.isnan(x[:, at]).mean()),
            features=(_feature(name, x[:, at], at in features.missing),),
        )
        for at, name in enumerate(names_of(features))
    ]
    target = targets.name if targets.name not in names_of(features) else f"{targets.name}_target"
    columns.append(Column(target, NUMBER, TARGET))
    return Schema(tuple(columns), bool(features.names), AS_IS)


def _feature(name: str, values: NDArray[np.float64], has_missing: bool) -> Feature:
    known = values[~np.isnan(values)]
    if not len(known):
        known = np.zeros(1)
    low, high = float(known.min()), float(known.max())
    edges = (low, high) if low < high else (low,)
    return Feature(name, edges=edges, median=float(np.median(known)), has_missing=has_missing)


def _write_items(test: Path, features: Features) -> None:
    """Write evenly spaced examples as files: a CSV with one row, or an array."""
    raw, spans = part.raw_folder(test), {}
    count = len(features.test)
    chosen = np.linspace(0, count - 1, min(part.MOST_ITEMS, count)).round().astype(int)
    for number, at in enumerate(chosen.tolist()):
        example = features.test[at]
        name = f"{number:02}.csv" if example.ndim == 1 else f"{number:02}.npy"
        if example.ndim == 1:
            _write_row(raw / name, features, example)
        else:
            np.save(raw / name, example)
        spans[name] = (at, at)
    part.write_items(test, spans)


def _write_row(path: Path, features: Features, example: NDArray[Any]) -> None:
    cells = ["" if np.isnan(one) else repr(one.item()) for one in example]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if features.names:
            writer.writerow(features.names)
        writer.writerow(cells)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
