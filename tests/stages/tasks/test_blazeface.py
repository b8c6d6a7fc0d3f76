"""BlazeFace: which outputs become which faces, in pixels of the picture."""

import os
from pathlib import Path

import numpy as np
import pytest

from stages.tasks import blazeface
from stages.tasks.faces import detected
from stages.tflite.model import open_model

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))


def _outputs(*faces):
    """Outputs with detections: (anchor, logit, centre x and y relative to the anchor, size) in pixels."""
    scores = np.full((1, blazeface.ANCHORS, 1), -50, np.float32)
    values = np.zeros((1, blazeface.ANCHORS, blazeface.VALUES), np.float32)
    for at, logit, x, y, size in faces:
        scores[0, at] = logit
        values[0, at, :4] = x, y, size, size
        values[0, at, 4:] = np.tile([x, y], 6)
    return {blazeface.BOXES: values, blazeface.SCORES: scores}


def _square(side=128, corner=(0, 0)):
    return blazeface.Framed(np.zeros(0, np.float32), side, np.float32(corner))


def test_a_box_is_relative_to_the_centre_of_its_anchor():
    found = blazeface.decode(_outputs((0, 5, 60, 60, 40)), _square())
    np.testing.assert_allclose(found.boxes, [[44, 44, 84, 84]], atol=1e-4)  # 4 + 60 -+ 20
    np.testing.assert_allclose(found.landmarks[0], 64, atol=1e-4)


def test_boxes_are_in_pixels_of_the_picture():
    found = blazeface.decode(_outputs((0, 5, 60, 60, 40)), _square(256, (-28, 0)))
    np.testing.assert_allclose(found.boxes, [[88, 60, 168, 140]], atol=1e-4)


def test_overlapping_detections_are_averaged_by_score():
    found = blazeface.decode(_outputs((0, 5, 60, 60, 40), (1, 5, 64, 60, 40)), _square())
    np.testing.assert_allclose(found.boxes, [[44, 46, 84, 86]], atol=1e-4)


def test_faces_apart_are_kept_the_largest_first():
    found = blazeface.decode(_outputs((0, 9, 20, 20, 10), (0 + 2, 5, 80, 80, 40)), _square())
    assert (found.boxes[:, 2] - found.boxes[:, 0]).round().tolist() == [40, 10]


def _found(*edges):
    count = len(edges)
    corners = np.float32(edges).reshape(count, 4)
    return blazeface.Found(corners, np.ones(count, np.float32), np.zeros((count, 6, 2), np.float32))


def test_faces_found_with_two_margins_are_joined_without_doubles():
    large = _found([0, 0, 100, 100])
    small = _found([40, 40, 70, 70], [0, 110, 50, 150], [200, 0, 260, 90])
    assert blazeface.joined(large, small).boxes.tolist() == [
        [0, 0, 100, 100],
        [200, 0, 260, 90],
        [0, 110, 50, 150],
    ]
    assert (
        len(blazeface.joined(_found(), small)) == 3 and len(blazeface.joined(large, _found())) == 1
    )


def test_weak_detections_are_no_faces():
    assert len(blazeface.decode(_outputs((0, -1, 60, 60, 40)), _square())) == 0


def test_a_picture_is_framed_without_distortion():
    frame = blazeface.framed(np.full((100, 50, 3), 255, np.uint8), 0.25)
    assert frame.side == 150
    bright = np.argwhere(frame.values[0, :, :, 0] > 0)
    assert (np.ptp(bright, 0) + 1).tolist() == [85, 43]
    np.testing.assert_allclose(frame.corner, [-49, -25], atol=1)


@pytest.mark.mirror
@pytest.mark.skipif(not MIRROR.is_dir(), reason="there is no folder with real models and pictures")
def test_faces_of_photographs_are_found_with_their_landmarks():
    from stages.media.pictures import read_picture

    detector = open_model(MIRROR / "models" / "blazeface_short_range_128_float.tflite")
    for person in (1, 20, 40):
        picture = read_picture(MIRROR / "faces" / "orl" / f"s{person}" / "1.pgm")
        found = detected(picture, detector)
        left, right, nose, mouth = found.landmarks[0, :4]
        assert len(found) == 1 and found.scores[0] > 0.8
        assert left[0] < nose[0] < right[0] and max(left[1], right[1]) < nose[1] < mouth[1]
