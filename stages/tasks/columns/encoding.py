"""Turns the values of features into the model's input, 0 to 255 for each component.

A number becomes one component for each of its bins: 0 below the bin, 255 above it, and in it the share of the
bin that lies below the number. Source: Gorishniy et al., "On Embeddings for Numerical Features in Tabular
Deep Learning", NeurIPS 2022 (piecewise linear encoding). A category has a component of its own.

The arithmetic is that of float64 with rounding to nearest, so the bytes are equal on every processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.columns.column import Feature

ONE = 255
CHUNK = 4096  # rows that are encoded at once


class Encoder:
    """Encodes rows of values, one for each feature."""

    def __init__(self, features: "Sequence[Feature]") -> None:
        self._medians = np.array([_median(one) for one in features], np.float64)
        bins: List[Tuple[int, int, float, float]] = []  # component, feature, lower edge, width
        codes: List[Tuple[int, int, int]] = []  # component, feature, category
        missing: List[Tuple[int, int]] = []  # component, feature
        start = 0
        for at, one in enumerate(features):
            for place in range(one.values):
                if one.is_category:
                    codes.append((start + place, at, place))
                else:
                    low, high = one.edges[place : place + 2]
                    bins.append((start + place, at, low, high - low))
            if one.has_missing:
                missing.append((start + one.values, at))
            start += one.size
        self.size = start
        self._bins, self._bin_of = _integers([one[:2] for one in bins], 2)
        self._lows = np.array([one[2] for one in bins], np.float64)
        self._widths = np.array([one[3] for one in bins], np.float64)
        self._codes, self._code_of, self._code = _integers(codes, 3)
        self._missing, self._missing_of = _integers(missing, 2)

    def encode(self, values: "NDArray[np.float64]") -> "NDArray[np.uint8]":
        """Return the input (rows, size) for values (rows, features), NaN if missing."""
        found = np.zeros((len(values), self.size), np.uint8)
        for start in range(0, len(values), CHUNK):
            self._fill(found[start : start + CHUNK], values[start : start + CHUNK])
        return found

    def filled(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the values with the median, or no category, for missing ones."""
        return np.where(np.isnan(values), self._medians, values)

    def _fill(self, found: "NDArray[np.uint8]", values: "NDArray[np.float64]") -> None:
        whole = self.filled(values)
        shares = np.clip((whole[:, self._bin_of] - self._lows) / self._widths, 0.0, 1.0)
        found[:, self._bins] = np.rint(shares * ONE)
        found[:, self._codes] = (whole[:, self._code_of] == self._code) * ONE
        found[:, self._missing] = np.isnan(values[:, self._missing_of]) * ONE


def _median(feature: "Feature") -> float:
    return -1.0 if feature.is_category else feature.median


def _integers(rows: "Sequence[Tuple[Any, ...]]", columns: int) -> "NDArray[np.int64]":
    return np.array(rows, np.int64).reshape(-1, columns).T
