"""The ground truth of a part, and the figures derived from it, per clip if examples are windows of a clip.

A window that shows nobody has no predicted class; a clip with only such windows counts as wrong.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.evaluation import classifier


@dataclass(frozen=True, slots=True)
class Truth:
    """The clip that each example belongs to, and the true class of each clip."""

    labels: list[str]
    clips: NDArray[np.int64]  # (examples,)
    classes: NDArray[np.int64]  # (clips,), in the order of clip numbers
    nothing: NDArray[np.bool_]  # (examples,) whether an example shows nobody
    counts: dict[str, dict[str, int]]  # part -> label -> clips
    people: list[str | None] | None = None  # (clips,), None if the person is unknown

    def accuracy(self, scores: NDArray[np.float32]) -> float:
        """Return the share of clips whose mean score (examples, classes) is highest for the true class."""
        return float(self.hits(scores).mean())

    def hits(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether each clip's mean score is highest for the true class: (clips,)."""
        return np.asarray(self._guesses(scores) == self.classes)

    def confusion(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return (classes, classes + 1) counts of clips, rows true and columns predicted.

        The last column counts clips that show nobody.
        """
        count = len(self.labels)
        return classifier.confusion(self.classes, self._guesses(scores), count, count + 1)

    def _guesses(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        guesses = []
        for clip in np.unique(self.clips):
            seen = scores[(self.clips == clip) & ~self.nothing]  # (windows, classes)
            guesses.append(seen.mean(0).argmax() if len(seen) else len(self.labels))
        return np.array(guesses, np.intp)


def read(part: Path) -> Truth:
    """Return the ground truth that stages.pose.dataset wrote into a part."""
    about = json.loads((part / "truth.json").read_text(encoding="utf-8"))
    classes, clips, nothing = (
        np.load(part / f"truth_{name}.npy", allow_pickle=False)
        for name in ("class", "clip", "nothing")
    )
    people = about.get("people")
    return Truth(about["labels"], clips, classes, nothing, about["clips"], people)
