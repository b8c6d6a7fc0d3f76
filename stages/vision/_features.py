"""Computes the features of a frozen backbone once, so that the last layer can be fitted in seconds."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._augment import Changed
    from stages.vision._course import Pictures

BATCH = 32


class Features:
    """Features of the training pictures, in several views, and of those for evaluating epochs."""

    def __init__(
        self,
        lower: Any,
        train: "Pictures",
        judged: "Pictures",
        views: int,
        changed: "Changed",
        seed: int,
    ) -> None:
        self._lower, self._train, self._judged = lower, train, judged
        self._views, self._changed, self._seed = views, changed, seed

    @cached_property
    def train(self) -> "NDArray[np.float32]":
        """(views * n, f): first those of the unchanged pictures, then those of augmented ones."""
        chance = np.random.default_rng([self._seed, len(self._train)])
        count, views = len(self._train), []
        for view in range(self._views):
            rows = [
                self._of(self._pictures(range(start, min(start + BATCH, count)), view, chance))
                for start in range(0, count, BATCH)
            ]
            views.append(np.concatenate(rows))
            progress(view + 1, self._views, "features of the frozen network")
        return np.concatenate(views)

    @cached_property
    def judged(self) -> "NDArray[np.float32]":
        """(n, f)."""
        return self._lower.predict(self._judged.pictures, batch_size=BATCH, verbose=0)  # type: ignore[no-any-return]

    def _pictures(
        self, rows: range, view: int, chance: np.random.Generator
    ) -> "NDArray[np.float32]":
        pictures = self._train.pictures[rows.start : rows.stop]
        return self._changed(pictures, chance) if view else pictures.astype(np.float32)

    def _of(self, pictures: "NDArray[np.float32]") -> "NDArray[np.float32]":
        return self._lower.predict_on_batch(pictures)  # type: ignore[no-any-return]
