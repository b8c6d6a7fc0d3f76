"""The test part of a data set, and the figures that are made of it: by clip, where several examples
are windows of one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError


@dataclass(frozen=True, slots=True)
class Part:
    """Examples `x` (examples, ...), the clip that each belongs to, and the true class of each clip."""

    labels: list[str]
    x: NDArray[np.float32]
    clips: NDArray[np.int64]  # (examples,)
    truth: NDArray[np.int64]  # (clips,), in the order of their numbers

    def accuracy(self, scores: NDArray[np.float32]) -> float:
        """Return the share of clips of which the mean score (examples, classes) names the true
        class.
        """
        return float((self._guesses(scores) == self.truth).mean())

    def confusion(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return (classes, classes) counts of clips, rows true and columns guessed."""
        matrix = np.zeros((len(self.labels), len(self.labels)), np.int64)
        np.add.at(matrix, (self.truth, self._guesses(scores)), 1)
        return matrix

    def _guesses(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        guesses: NDArray[np.intp] = np.stack(
            [scores[self.clips == clip].mean(0) for clip in np.unique(self.clips)]
        ).argmax(1)
        return guesses


def read(dataset: Path) -> Part:
    """Return the test part; StageError where it is empty."""
    labels = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))["labels"]
    x, truth, path = (
        np.load(dataset / "x_test.npy"),
        np.load(dataset / "y_test.npy"),
        dataset / "clip_test.npy",
    )
    if not len(x):
        raise StageError("the test part is empty")
    clips = np.load(path) if path.exists() else np.arange(len(x))
    return Part(labels, x, clips, truth[np.unique(clips, return_index=True)[1]])


def f1(matrix: NDArray[np.int64]) -> list[float]:
    """Return each class's F1, 2 tp / (2 tp + fp + fn); 0 for a class that is neither there nor
    guessed.
    """
    hits = matrix.diagonal()
    wrong = matrix.sum(0) + matrix.sum(1)
    return [float(2 * hit / all_) if all_ else 0.0 for hit, all_ in zip(hits, wrong, strict=True)]
