"""Measures the accuracy that a trained network loses in int8, and trains it to compensate."""

from typing import TYPE_CHECKING

from engine.stage import note
from stages.evaluation.drop import beyond_one
from stages.training import fake_quantisation

if TYPE_CHECKING:
    from stages.vision._augment import Changed
    from stages.vision._course import Course

MOST_LOST = 0.01  # of validation accuracy
MEASURED = 200  # pictures for measuring the ranges of the activations


def compensate(course: "Course", epochs: int, rate: float, changed: "Changed") -> float:
    """Return the simulated int8 validation accuracy; if it is lower, train first.

    Lower means: by more than a point, and by more than one picture.

    Quantisation-aware training starts from the best weights, and keeps them if no epoch has a lower
    int8 loss.
    """
    network, pictures = course.network, course.judged.pictures
    before = course.judge(network, pictures)["val_accuracy"]
    shown = fake_quantisation.measured_on(course.train.pictures, MEASURED)
    twin = fake_quantisation.simulated(network, shown.astype("float32"))
    plain = course.judge(twin, pictures)
    lost = beyond_one(before, plain["val_accuracy"], len(pictures))
    if lost <= MOST_LOST or not epochs:
        return plain["val_accuracy"]
    course.begin({**plain, "epoch": course.best["epoch"]})
    course.run(course.phase("qat", epochs, rate, changed, twin))
    after = course.judge(twin, pictures)["val_accuracy"]
    note(
        f"int8 arithmetic lowers the validation accuracy from {before:.1%} to "
        f"{plain['val_accuracy']:.1%}; after quantisation-aware training it is {after:.1%}"
    )
    return after
