"""Skill: the share of the simplest answer's errors that a model avoids, with its 95 % interval.

1 is perfect, 0 no better than the simplest answer. Literature: A. Murphy, "Skill scores based on the mean
square error and their relationships to the correlation coefficient", Monthly Weather Review 116, 1988.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.evaluation import bootstrap


def interval(errors: ArrayLike, simplest: ArrayLike) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of the skill, by bootstrap over the examples.

    errors, simplest: (examples,) the amounts by which the model and the simplest answer are wrong
    """
    own, theirs = np.asarray(errors, np.float64), np.asarray(simplest, np.float64)

    def skills(weights: bootstrap.Weights) -> NDArray[np.float64]:  # (draws, examples)
        room, lost = weights @ theirs, weights @ own
        return np.where(room > 0, 1 - lost / np.where(room > 0, room, 1.0), 0.0)

    return bootstrap.interval(skills, range(len(own)))


def share_interval(is_wrong: ArrayLike, is_simplest_wrong: ArrayLike) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of the skill of answers that are right or wrong.

    If all answers are right, or all are wrong, all draws are equal. The bounds then follow from the
    exact ones of the accuracy, as in `bootstrap.share_interval`.
    is_wrong, is_simplest_wrong: (examples,) whether the model and the simplest answer are wrong
    """
    wrong, theirs = np.asarray(is_wrong, np.bool_), np.asarray(is_simplest_wrong, np.bool_)
    if not theirs.any() or wrong.any() != wrong.all():
        return interval(wrong, theirs)
    low, high = bootstrap.share_interval(~wrong, range(len(wrong)))
    room = float(theirs.mean())
    return 1 - (1 - low) / room, 1 - (1 - high) / room
