"""Sums and functions that give the same bits on every processor.

BLAS and the vectorised `exp` of numpy differ between processors in the last bits, which may turn one class
into another. Single additions and multiplications of float64 do not (IEEE 754).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # fdlibm, e_exp.c
_LN2 = 0.6931471805599453
_LOWEST, _HIGHEST = -745.2, 709.7  # beyond them, exp is 0 or infinite in float64
_TERMS = 14  # of exp's Taylor series: exact to the last bits for |x| <= ln(2) / 2


def ordered_sum(terms: Floats) -> Floats:
    """Return the sums over the last but one axis, (rows, n, k) -> (rows, k), added from first to last."""
    if terms.shape[-2] == 0:
        return np.zeros((terms.shape[0], terms.shape[2]))
    # `sum` adds in pairs, depending on the memory's layout
    sums: Floats = np.add.accumulate(terms, axis=-2)[..., -1, :]
    return sums


def weighted(x: Floats, weights: Floats) -> Floats:
    """Return x @ weights, (rows, n) and (n, k) -> (rows, k), added from first to last."""
    return ordered_sum(x[:, :, None] * weights[None])


def exp(x: Floats) -> Floats:
    """Return e to the power of x."""
    clipped = np.clip(np.nan_to_num(x), _LOWEST, _HIGHEST)
    twos = np.rint(clipped / _LN2)
    rest = (clipped - twos * _LN2_HIGH) - twos * _LN2_LOW
    total = np.ones_like(rest)
    for term in range(_TERMS, 0, -1):  # Horner's scheme
        total = 1.0 + rest * total / term
    return np.where(np.isnan(x), x, np.ldexp(total, twos.astype(np.int32)))


def logistic(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exp(-x))


def tanh(x: Floats) -> Floats:
    """Return the hyperbolic tangent; its error is about 1e-16, also near 0."""
    return 1.0 - 2.0 / (exp(2.0 * x) + 1.0)
