"""The probability below which a picture is none of the classes."""

import numpy as np
from numpy.typing import NDArray

KEPT = 0.95  # share of the validation pictures that reach the threshold of "none of these"


def threshold(scores: NDArray[np.float32]) -> float:
    """Return the highest threshold that the share KEPT of the pictures (n, classes) reaches."""
    return round(float(np.quantile(scores.max(1), 1 - KEPT)), 4)
