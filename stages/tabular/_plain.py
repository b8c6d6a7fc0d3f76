"""Reads the parts of a table as plain numbers and categories, for learners other than the network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Plain:
    """Rows of features, NaN if missing, and the target.

    features:    (rows, features); a category is its number
    is_category: (features,)
    truth:       (rows,) numbers of classes, or numbers
    """

    features: NDArray[np.float64]
    is_category: NDArray[np.bool_]
    truth: NDArray[Any]

    def joined(self, other: "Plain") -> "Plain":
        features = np.concatenate([self.features, other.features])
        return Plain(features, self.is_category, np.concatenate([self.truth, other.truth]))


def read(folder: Path) -> Plain:
    """Return the rows of a part."""
    about = json.loads((folder / "plain.json").read_text(encoding="utf-8"))
    is_category = np.array([one["is_category"] for one in about["features"]], bool)
    return Plain(np.load(folder / "plain.npy"), is_category, np.load(folder / "truth_target.npy"))


def about(folder: Path) -> dict[str, Any]:
    """Return target, task, labels and own_split of a part."""
    found: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return found
