"""Test faces against a gallery: who is right, rejected or accepted, and what is measured."""

import numpy as np
import pytest

from stages.faces import _report
from stages.faces._report import Compared
from stages.tasks.faces import Gallery


def _compared(angles, people, gallery=((0, 0), (40, 1), (90, 2))):
    """Faces as directions in a plane, in degrees, against a gallery of (direction, person)."""
    directions, owners = zip(*gallery, strict=True)
    enrolled = Gallery(_directions(directions), np.int64(owners))
    return Compared(_directions(angles), np.int64(people), enrolled, len(set(owners)))


def _directions(angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def test_a_face_is_right_or_wrong_whatever_the_threshold():
    assert _compared([1, 39, 10, 85], [0, 1, 2, 2]).is_right.tolist() == [True, True, False, True]


def test_a_right_face_below_the_threshold_is_rejected():
    compared = _compared([1, 59], [0, 1])
    assert compared.rejected(np.cos(np.radians(10))).tolist() == [False, True]


def test_a_face_near_another_person_would_be_accepted_as_a_stranger():
    compared = _compared([20, 90], [0, 2])
    assert compared.accepted(np.cos(np.radians(25))).tolist() == [True, False]


def test_every_figure_is_measured_with_its_interval():
    angles, people = [1, -2, 38, 41, 88, 91], [0, 0, 1, 1, 2, 2]
    runs = {name: _compared(angles, people) for name in ("int8", "build", "float")}
    runs["pixels"] = _compared([40, 0, 38, 90, 88, 0], people)
    found = _report.measured(runs, 0.9)
    assert (found["eer"], found["rank1"], found["false_reject"]) == (0, 1, 0)
    assert found["rank1_low"] <= found["rank1"] <= found["rank1_high"]
    assert found["rank1_drop"] == 0
    assert found["baseline_margin"] == pytest.approx(4 / 6, abs=0.2)


def test_the_card_says_that_embeddings_are_personal_data():
    sections = _report.card({})
    assert "personal data" in sections["Personal data"] and "Unevaluated" in sections["Figures"]
