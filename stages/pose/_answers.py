"""The answers expected from the task for the raw items of a test part, from the model's outputs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.pose._truth import Truth
from stages.tasks.keypoints.presence import NOTHING
from stages.tflite import part


def expected(test: Path, scores: NDArray[np.float32], truth: Truth) -> list[dict[str, Any]]:
    """Return, for each raw item, its file and its rows in the form of stages.tasks.activity.

    scores: (windows, classes)
    """
    return [
        {
            "file": item.path.name,
            "rows": [
                _nothing() if truth.nothing[at] else _row(scores[at], truth.labels)
                for at in range(item.first, item.last + 1)
            ],
        }
        for item in part.items(test)
    ]


def _nothing() -> dict[str, Any]:
    return {"activity": NOTHING, "probability": None}


def _row(probabilities: NDArray[np.float32], labels: list[str]) -> dict[str, Any]:
    best = int(probabilities.argmax())
    return {"activity": labels[best], "probability": round(float(probabilities[best]), 4)}
