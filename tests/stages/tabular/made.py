"""Parts of small tables, as stages.tabular.dataset writes them."""

import json
from pathlib import Path

import numpy as np

from stages.tabular.dataset import dataset

PUMPS = 240


def write(root: Path, task: str = "classify", rows: int = PUMPS, bins: int = 6) -> Path:
    """Write train/ with validation/, test/ and columns/ for a table with a number, a colour and a target.

    The target is a class, "hot" or "cold", that the number and the colour decide; or a number.
    """
    chance = np.random.default_rng(0)
    a, colour = chance.uniform(0, 1, rows).round(3), chance.choice(["red", "blue"], rows)
    degree = a + 0.5 * (colour == "red")
    target = np.where(degree > 0.75, "hot", "cold") if task == "classify" else degree.round(3)
    noise = chance.uniform(0, 1, rows).round(3)
    lines = [",".join(map(str, one)) for one in zip(a, colour, noise, target, strict=True)]
    file = root / "pumps.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["a,colour,noise,target", *lines]) + "\n", encoding="utf-8")
    dataset(file, root / "train", root / "test", root / "columns", task=task, bins=bins)
    return root


def decision(root: Path, **fields: object) -> Path:
    """Write decision.json with these fields."""
    path = root / "decision.json"
    path.write_text(json.dumps({"decision": {"target": "target", **fields}}), encoding="utf-8")
    return path
