"""Turns a sentence into the model's input: weighted counts of its words, word pairs and letter groups.

There is one implementation, for training and for the device. It needs no hash function and no pickle:
the features are the lines of a text file, and their weights a small array.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from engine.stage import StageError
from stages.tasks.text.normalise import normalised, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES = ("vocabulary.txt", "weights.npy")
UNIT = 425  # the number that represents 1 in a vector of length 1; values above 255 are clipped
LETTERS = range(2, 6)  # lengths of the letter groups
WORD, PAIR, GROUP = "w", "p", "c"  # the first character of a feature says what it is


@dataclass(frozen=True)
class Features:
    """The features that a model knows, in the order of its inputs, and their weights."""

    names: Tuple[str, ...]
    weights: Tuple[float, ...]  # inverse document frequencies
    _places: Dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {name: at for at, name in enumerate(self.names)})

    @classmethod
    def fit(cls, sentences: Sequence[str], size: int = 8192) -> Features:
        """Return the features of most sentences, `size` at most; their order has no influence.

        StageError: the sentences contain no text.
        """
        counts = Counter(name for text in sentences for name in set(_found(text)))
        if not counts:
            raise StageError("the training sentences contain no text: add sentences with words")
        most = sorted(counts, key=lambda name: (-counts[name], name))[:size]
        names = tuple(sorted(most))
        whole = 1 + len(sentences)
        # float16 is what the file keeps: the same values before and after writing
        found = [1 + math.log(whole / (1 + counts[name])) for name in names]
        return cls(names, tuple(np.array(found, np.float16).tolist()))

    @classmethod
    def read(cls, folder: Path) -> Features:
        """Return the features in a folder; StageError: its files are damaged."""
        try:
            names = (folder / FILES[0]).read_bytes().decode("utf-8").split("\n")[:-1]
            weights = np.load(folder / FILES[1], allow_pickle=False)
            is_finite = bool(np.isfinite(weights).all())
        except (OSError, ValueError, EOFError, TypeError, AttributeError) as error:
            what = f"{' or '.join(FILES)} cannot be read"
            raise StageError(f"the package's {what}: package the model again") from error
        if weights.shape != (len(names),) or not is_finite:
            raise StageError(
                f"{FILES[0]} has {len(names)} lines, but {FILES[1]} has {weights.size} weights, or one that "
                "is no number: package the model again"
            )
        return cls(tuple(names), tuple(weights.tolist()))

    def write(self, folder: Path) -> None:
        """Write the files into the folder, which is created if it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILES[0]).write_bytes("".join(f"{name}\n" for name in self.names).encode())
        np.save(folder / FILES[1], np.array(self.weights, np.float16), allow_pickle=False)

    @property
    def size(self) -> int:
        """The number of values in a vector."""
        return len(self.names)

    def vector(self, text: str) -> NDArray[np.uint8]:
        """Return the model's unscaled input for a sentence: (size,); all 0 if no feature is known."""
        vector = np.zeros(self.size, np.uint8)
        for at, value in self.values(text).items():
            vector[at] = min(255, round(value * UNIT))
        return vector

    def vectors(self, texts: Sequence[str]) -> NDArray[np.uint8]:
        """Return the vectors of sentences: (n, size)."""
        found = np.zeros((len(texts), self.size), np.uint8)
        for row, text in zip(found, texts):
            row[:] = self.vector(text)
        return found

    def values(self, text: str) -> Dict[int, float]:
        """Return a sentence's values by place; together they have length 1, and each kind weighs the same."""
        kinds: Dict[str, Dict[int, float]] = {WORD: {}, PAIR: {}, GROUP: {}}
        for name, count in Counter(_found(text)).items():
            at = self._places.get(name)
            if at is not None:
                kinds[name[0]][at] = (1 + math.log(count)) * self.weights[at]
        used = [kind for kind in kinds.values() if kind]
        scales = [1 / (_length(kind) * math.sqrt(len(used))) for kind in used]
        return {
            at: value * scale for kind, scale in zip(used, scales) for at, value in kind.items()
        }


def _length(values: Dict[int, float]) -> float:
    """Return the Euclidean length; the sum is exact, hence equal on every processor."""
    return math.sqrt(math.fsum(value * value for value in values.values()))


def _found(text: str) -> Iterator[str]:
    """Yield the features of a sentence, repeated as often as they occur."""
    found: List[str] = words(normalised(text))
    for word in found:
        yield WORD + word
    ends = [""] if found else []  # the beginning and the end of a sentence count as words
    for first, second in zip([*ends, *found], [*found, *ends]):
        yield f"{PAIR}{first} {second}"
    for word in found:
        padded = f" {word} "
        for length in LETTERS:
            for start in range(len(padded) - length + 1):
                yield GROUP + padded[start : start + length]
