"""The last layer of a picture classifier, applied to embeddings of a frozen network: files and arithmetic.

The embedding is scaled to length 1, so the scale of a quantised output does not matter. Numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.tasks.package import read_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES = ("weights.npy", "bias.npy")


@dataclass(frozen=True)
class Head:
    """A linear layer and a softmax."""

    weights: NDArray[np.float32]  # (classes, size)
    bias: NDArray[np.float32]  # (classes,)

    def probabilities(self, embeddings: NDArray[Any]) -> NDArray[np.float32]:
        """Return the probabilities (n, classes) for embeddings (n, ...) of `size` values each."""
        logits = unit_length(embeddings) @ self.weights.T + self.bias
        return softmax(logits)

    def write(self, folder: Path) -> None:
        """Write its files into an existing folder."""
        for name, values in zip(FILES, (self.weights, self.bias)):
            np.save(folder / name, values.astype(np.float32), allow_pickle=False)


def read(folder: Path) -> Head:
    """Return the layer in a folder; StageError: its files do not fit together."""
    weights, bias = (read_array(folder / name) for name in FILES)
    if weights.ndim != 2 or bias.shape != weights.shape[:1]:
        raise StageError(
            f"the last layer has weights {list(weights.shape)} and biases {list(bias.shape)}: "
            "package the model again"
        )
    return Head(weights, bias)


def unit_length(embeddings: NDArray[Any]) -> NDArray[np.float32]:
    """Return embeddings (n, ...) as (n, size) of length 1; a zero embedding stays unchanged."""
    shape = len(embeddings), int(np.prod(embeddings.shape[1:]))
    flat = embeddings.reshape(shape).astype(np.float32)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return (flat / np.maximum(lengths, 1e-12)).astype(np.float32)


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Return the softmax of logits (n, classes), in the same type."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)  # type: ignore[no-any-return]
