"""Boxes become shares of the upright picture, whatever size and rotation they were annotated at."""

import pytest

from stages.detection.annotations import _boxes
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._source import Box, Source
from stages.media.header import Header
from stages.media.orientation import UPRIGHT, Orientation

TURNED = Orientation(True, True, False)  # EXIF 6: rotated by a quarter turn to the right
OVER = Orientation(False, True, True)  # EXIF 3: upside down


@pytest.fixture
def findings():
    return Findings()


@pytest.fixture
def placed(findings, tmp_path):
    """Return the shares of a box, given the annotated size and the picture's height and width."""

    def run(box, size, stored=(60, 80), orientation=UPRIGHT, shown=None, **about):
        header = Header(*stored, orientation)
        top, left, bottom, right = box
        one = Box(label="cat", top=top, left=left, bottom=bottom, right=right)
        source = Source(path=tmp_path, name="1.jpg", boxes=(one,), size=size, **about)
        found = _boxes.normalised(source, header, shown or header.upright, findings)
        return found and [
            (round(one.top, 4), round(one.left, 4), round(one.bottom, 4), round(one.right, 4))
            for one in found
        ]

    return run


def found(findings):
    return {kind: count for kind, count in findings.counts().items() if count}


def test_the_annotated_size_of_a_scaled_picture_counts(placed, findings):
    assert placed((40, 20, 80, 100), (120, 160)) == [(0.3333, 0.125, 0.6667, 0.625)]
    assert found(findings) == {"scaled": 1}


@pytest.mark.parametrize("size", [(300, 401), (30, 40), (61, 81)])
def test_a_scaled_size_is_rounded_to_pixels(placed, findings, size):
    assert placed((0, 0, *size), size) == [(0, 0, 1, 1)]
    assert found(findings) == {"scaled": 1}


@pytest.mark.parametrize("size", [(80, 60), (60, 60), (60, 100)])
def test_a_size_of_another_aspect_is_skipped(placed, findings, size):
    assert placed((10, 10, 20, 20), size) is None
    assert findings.sentence("mismatched") == (
        "skipped 1 picture annotated at a size that does not fit: 1.jpg "
        f"({size[1]} x {size[0]} annotated, 80 x 60 in the file)"
    )


def test_boxes_on_the_upright_picture_stay(placed, findings):
    assert placed((0, 0, 40, 30), (80, 60), orientation=TURNED) == [(0, 0, 0.5, 0.5)]
    assert found(findings) == {}


def test_boxes_on_the_stored_pixels_are_rotated(placed, findings):
    # the upper left quarter of the stored picture is at the upper right of the upright one
    assert placed((0, 0, 30, 20), (60, 80), orientation=TURNED) == [(0, 0.5, 0.25, 1)]
    assert found(findings) == {"rotated": 1}


def test_boxes_on_stored_pixels_of_another_size_are_scaled_and_rotated(placed, findings):
    assert placed((0, 0, 60, 40), (120, 160), orientation=TURNED) == [(0, 0.5, 0.25, 1)]
    assert found(findings) == {"scaled": 1, "rotated": 1}


def test_boxes_are_on_the_upright_picture_if_the_size_does_not_tell(placed, findings):
    assert placed((0, 0, 30, 20), (60, 80), orientation=OVER) == [(0, 0, 0.5, 0.25)]
    assert found(findings) == {}


def test_without_a_size_boxes_are_on_the_picture_that_holds_them(placed, findings):
    assert placed((0, 0, 80, 60), None, orientation=TURNED) == [(0, 0, 1, 1)]
    assert placed((0, 0, 60, 80), None, orientation=TURNED) == [(0, 0, 1, 1)]
    assert placed((0, 0, 90, 60), None, orientation=TURNED) == [(0, 0, 1, 1)]
    assert found(findings) == {"clipped_boxes": 1}


def test_shares_are_those_of_the_upright_picture(placed):
    box = (0.1, 0.2, 0.3, 0.4)
    assert placed(box, None, orientation=TURNED, in_shares=True) == [box]


def test_pixels_that_are_not_square_may_be_annotated_as_stored_or_as_shown(placed, findings):
    assert placed((0, 0, 30, 80), (60, 80), shown=(60, 160)) == [(0, 0, 0.5, 1)]
    assert placed((0, 0, 30, 160), (60, 160), shown=(60, 160)) == [(0, 0, 0.5, 1)]
    assert found(findings) == {}


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (Orientation(False, True, False), (0, 0.75, 0.5, 1)),
        (Orientation(False, True, True), (0.5, 0.75, 1, 1)),
        (Orientation(False, False, True), (0.5, 0, 1, 0.25)),
        (Orientation(True, False, False), (0, 0, 0.25, 0.5)),
        (Orientation(True, True, False), (0, 0.5, 0.25, 1)),
        (Orientation(True, True, True), (0.75, 0.5, 1, 1)),
        (Orientation(True, False, True), (0.75, 0, 1, 0.5)),
    ],
)
def test_each_orientation_moves_a_box_like_its_pixels(orientation, expected):
    import numpy as np

    box = Box(label="cat", top=0, left=0, bottom=0.5, right=0.25)
    moved = _boxes._upright(box, orientation)
    assert (moved.top, moved.left, moved.bottom, moved.right) == expected
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:4, :4] = 1
    rows, columns, _ = np.nonzero(orientation.upright(pixels))
    height, width = orientation.upright(pixels).shape[:2]
    corners = (
        rows.min() / height,
        columns.min() / width,
        (rows.max() + 1) / height,
        (columns.max() + 1) / width,
    )
    assert corners == expected


def test_the_overlap_of_two_boxes():
    one = Box(label="cat", top=0, left=0, bottom=2, right=2)
    other = Box(label="dog", top=1, left=0, bottom=3, right=2)
    apart = Box(label="dog", top=5, left=5, bottom=6, right=6)
    assert _boxes.iou(one, other) == pytest.approx(1 / 3)
    assert (_boxes.iou(one, one), _boxes.iou(one, apart)) == (1, 0)
