"""Lines, points, boxes and text on a picture, with Pillow and with OpenCV."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.media import fonts
from stages.media.canvas_opencv import OpenCVCanvas
from stages.media.canvas_pillow import PillowCanvas
from stages.media.drawing import canvas_of

ROOT = Path(__file__).resolve().parents[3]
GREY = np.full((120, 400, 3), 90, np.uint8)
BOTH = pytest.mark.parametrize("canvas_of_a", [PillowCanvas, OpenCVCanvas])


def caption(text: str, canvas_of_a=PillowCanvas) -> np.ndarray:
    canvas = canvas_of_a(GREY)
    canvas.caption(text)
    return canvas.picture


def test_pillow_is_preferred() -> None:
    assert isinstance(canvas_of(GREY), PillowCanvas)


def test_without_pillow_answers_are_drawn_with_opencv() -> None:
    code = (
        "import sys, numpy as np\n"
        "sys.modules['PIL'] = None\n"
        "from stages.tasks.keypoints.drawing import drawn\n"
        "joints = np.full((17, 3), 30, np.float32)\n"
        "picture = drawn(np.zeros((60, 80, 3), np.uint8), joints, 'walking')\n"
        "sys.exit(0 if picture.any() else 'nothing is drawn')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@BOTH
def test_the_picture_given_stays_as_it_was(canvas_of_a) -> None:
    canvas = canvas_of_a(GREY)
    canvas.line((0, 0), (50, 50), (255, 0, 0))
    assert (GREY == 90).all() and (canvas.picture[25, 25] == (255, 0, 0)).all()


@BOTH
def test_points_and_boxes_have_their_colours(canvas_of_a) -> None:
    canvas = canvas_of_a(GREY)
    canvas.point((20, 30), (0, 255, 0))
    canvas.box((300, 80, 200, 20), (0, 0, 255))
    assert (canvas.picture[30, 20] == (0, 255, 0)).all()
    assert (canvas.picture[20, 250] == (0, 0, 255)).all()


@BOTH
@pytest.mark.parametrize("far", [-1e9, 1e9])
def test_what_is_outside_the_picture_disturbs_nothing(canvas_of_a, far) -> None:
    canvas = canvas_of_a(GREY)
    canvas.box((far, far, 1e9, 1e9), (0, 0, 255))
    canvas.point((far, far), (0, 0, 255))
    canvas.text((10, far), "far away")
    assert (canvas.picture == 90).all()


@pytest.mark.skipif(not fonts._files(), reason="no font is installed")
@pytest.mark.parametrize("text", ["Übung", "Ελληνικά", "Приседание"])
def test_text_of_any_script_is_not_drawn_as_question_marks(text: str) -> None:
    questions = "".join("?" if ord(character) > 127 else character for character in text)
    assert (caption(text) != caption(questions)).any()
    assert (caption(text) == 255).any()


def test_opencv_draws_letters_without_their_accents() -> None:
    assert (caption("Übung ß", OpenCVCanvas) == caption("Ubung ?", OpenCVCanvas)).all()


@BOTH
def test_a_long_caption_stays_within_the_picture(canvas_of_a) -> None:
    text = "a caption that is far too long for so small a picture " * 2
    picture = caption(text, canvas_of_a)
    assert (picture[:, -2:] == 90).all() and (picture == 255).any()


@BOTH
def test_text_at_the_right_edge_has_the_same_size_and_is_moved_into_the_picture(
    canvas_of_a,
) -> None:
    left, right = canvas_of_a(GREY), canvas_of_a(GREY)
    left.text((10, 60), "walking 93%")
    right.text((395, 60), "walking 93%")
    heights = [np.flatnonzero((one.picture == 255).any((1, 2))) for one in (left, right)]
    assert heights[0].tolist() == heights[1].tolist()
    assert (right.picture[:, -1] == 90).all() and (right.picture[:, :200] == 90).all()


@BOTH
def test_an_empty_caption_draws_nothing(canvas_of_a) -> None:
    np.testing.assert_array_equal(caption("", canvas_of_a), GREY)
