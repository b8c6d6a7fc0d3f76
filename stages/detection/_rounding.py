"""Measures the average precision that a trained detector loses in int8."""

from typing import TYPE_CHECKING

from stages.detection import _precision
from stages.training import fake_quantisation

if TYPE_CHECKING:
    from stages.detection._course import Course

MEASURED = 100  # pictures for measuring the ranges of the activations


def measured(course: "Course") -> float:
    """Return the mean average precision on the judged pictures with simulated int8 arithmetic."""
    shown = fake_quantisation.measured_on(course.train.pictures, MEASURED)
    twin = fake_quantisation.simulated(course.network, shown.astype("float32"))
    found = course.found(course.judged, twin)
    return _precision.mean(found, course.judged.truth, course.classes)
