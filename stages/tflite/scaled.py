"""A tensor whose values are computed from stored numbers as they are read: (number - mean) / deviation.

Pixels stay one byte each on the disk, whatever range the model was trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaled:
    """Stored numbers (examples, ...) that are read as values, float32."""

    numbers: NDArray[Any]
    mean: float
    deviation: float

    @property
    def shape(self) -> tuple[int, ...]:
        return self.numbers.shape

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, chosen: Any) -> NDArray[np.float32]:
        return self.of(self.numbers[chosen])

    def of(self, numbers: NDArray[Any]) -> NDArray[np.float32]:
        """Return the values of these numbers."""
        return values(numbers, self.mean, self.deviation)


def values(numbers: NDArray[Any], mean: float, deviation: float) -> NDArray[np.float32]:
    """Return (number - mean) / deviation."""
    return ((numbers.astype(np.float32) - mean) / deviation).astype(np.float32)
