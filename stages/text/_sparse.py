"""Feature vectors without their zeros: a sentence has about 100 of 8,000 features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1024  # vectors that are scanned at once


@dataclass(frozen=True)
class Sparse:
    """Vectors (n, size): the entries of vector i are those from starts[i] to starts[i + 1]."""

    starts: NDArray[np.int64]  # (n + 1,)
    places: NDArray[np.int64]  # (entries,) 0 to size - 1
    values: NDArray[np.float32]  # (entries,)
    size: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def at(self, rows: NDArray[np.int64]) -> "Sparse":
        """Return some of the vectors, in this order."""
        batch = self.batch(rows)
        counts = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Sparse(starts, batch.indices[:, 1], batch.values, self.size)

    def joined(self, other: "Sparse") -> "Sparse":
        """Return these vectors and others of the same size."""
        return Sparse(
            np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            np.concatenate([self.places, other.places]),
            np.concatenate([self.values, other.values]),
            self.size,
        )

    def batch(
        self, rows: NDArray[np.int64], chance: np.random.Generator | None = None, lost: float = 0.0
    ) -> "Batch":
        """Return some of the vectors; a share `lost` of their entries is dropped at random.

        The others grow, so that the expected sum is the same (Srivastava et al., JMLR 2014).
        """
        counts = self.starts[rows + 1] - self.starts[rows]
        first = np.repeat(self.starts[rows] - np.cumsum(counts) + counts, counts)
        entries = first + np.arange(len(first))
        row = np.repeat(np.arange(len(rows)), counts)
        if chance is not None and lost:
            is_kept = chance.random(len(entries)) >= lost
            entries, row = entries[is_kept], row[is_kept]
        return Batch(
            np.stack([row, self.places[entries]], 1),
            self.values[entries] / np.float32(1 - lost if chance is not None else 1),
            (len(rows), self.size),
        )


@dataclass(frozen=True)
class Batch:
    """The entries of a sparse matrix, row by row."""

    indices: NDArray[np.int64]  # (entries, 2)
    values: NDArray[np.float32]  # (entries,)
    shape: tuple[int, int]

    def tensor(self) -> Any:
        import tensorflow as tf

        return tf.SparseTensor(self.indices, self.values, self.shape)


def sparse(vectors: NDArray[np.uint8], scale: float) -> Sparse:
    """Return vectors (n, size), which may be mapped into memory, multiplied by the scale."""
    counts, places, values = [], [], []
    for start in range(0, len(vectors), CHUNK):
        chunk = np.asarray(vectors[start : start + CHUNK])
        row, place = np.nonzero(chunk)
        counts.append(np.bincount(row, minlength=len(chunk)))
        places.append(place.astype(np.int64))
        values.append(chunk[row, place].astype(np.float32) * np.float32(scale))
    empty = [np.zeros(0, np.int64)]
    return Sparse(
        np.concatenate([[0], np.cumsum(np.concatenate(empty + counts))]).astype(np.int64),
        np.concatenate(empty + places),
        np.concatenate([np.zeros(0, np.float32), *values]),
        vectors.shape[1],
    )
