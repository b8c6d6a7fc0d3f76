"""Measures the average precision that a trained detector loses in int8, and trains it to compensate."""

from typing import TYPE_CHECKING

from engine.stage import note
from stages.detection.training import _network
from stages.training import fake_quantisation

if TYPE_CHECKING:
    from stages.detection.training._course import Course

MOST_LOST = 0.02  # of the average precision on validation pictures
MEASURED = 100  # pictures for measuring the ranges of the activations


def compensate(course: "Course", epochs: int, rate: float) -> float:
    """Return the simulated int8 average precision; if int8 loses more than MOST_LOST, train first.

    Quantisation-aware training starts from the best weights, and keeps them if no epoch has a better
    int8 average precision.
    """
    from stages.detection.training._course import Phase

    before = course.best["val_map50"]
    shown = fake_quantisation.measured_on(course.train.pictures, MEASURED).astype("float32")
    course.judging = fake_quantisation.simulated(course.network, shown)
    plain = course.evaluated()["val_map50"]
    if before - plain <= MOST_LOST or not epochs:
        return plain
    course.begin({"val_map50": plain, "epoch": course.best["epoch"]})
    copy = _network.copied(course.detector)
    twin = fake_quantisation.simulated(copy.learner, shown)
    course.run(Phase("qat", epochs, rate, copy, twin))
    after = course.evaluated()["val_map50"]
    note(
        f"int8 arithmetic lowers the validation mAP@0.5 from {before:.1%} to {plain:.1%}; after "
        f"quantisation-aware training it is {after:.1%}"
    )
    return after
