"""Splits pictures into training, validation and test by class; near-duplicates stay together."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.stage import StageError
from stages.training import parts
from stages.training.parts import Parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.vision._pictures import Source


def ambiguous(digests: Sequence[bytes], sources: "Sequence[Source]") -> "set[int]":
    """Return the pictures whose pixels also occur in another class."""
    labels: dict[bytes, set[str]] = defaultdict(set)
    for digest, source in zip(digests, sources, strict=True):
        labels[digest].add(source.label)
    return {at for at, digest in enumerate(digests) if len(labels[digest]) > 1}


def split(
    sources: "Sequence[Source]",
    group: "NDArray[np.int64]",
    left_out: "set[int]",
    shares: "tuple[float, float]",
    seed: int,
) -> Parts:
    """Return the indices of the pictures in each part, sorted.

    group:  (pictures,) equal numbers for near-duplicates; shares: of test and validation

    StageError: a class without a training picture, or no test picture.
    """
    rows = [at for at in range(len(sources)) if at not in left_out]
    labels, splits = [one.label for one in sources], [one.split for one in sources]
    found = parts.divide(labels, splits, group, rows, shares, seed)
    _check(sources, found)
    return found


def _check(sources: "Sequence[Source]", found: Parts) -> None:
    labels = {source.label for source in sources}
    missing = sorted(labels - {sources[at].label for at in found["train"]})
    if missing:
        raise StageError(
            f"there are no training pictures of {', '.join(missing)}: add some, or remove the class"
        )
    if not found["test"]:
        raise StageError("there are no test pictures: give each class at least three pictures")
