"""Lines, points, boxes and text on a picture."""

import numpy as np
import pytest

from stages.media import fonts
from stages.media.drawing import Canvas

GREY = np.full((120, 400, 3), 90, np.uint8)


def caption(text: str) -> np.ndarray:
    canvas = Canvas(GREY)
    canvas.caption(text)
    return canvas.picture


def test_the_picture_given_stays_as_it_was() -> None:
    canvas = Canvas(GREY)
    canvas.line((0, 0), (50, 50), (255, 0, 0))
    assert (GREY == 90).all() and (canvas.picture[25, 25] == (255, 0, 0)).all()


def test_points_and_boxes_have_their_colours() -> None:
    canvas = Canvas(GREY)
    canvas.point((20, 30), (0, 255, 0))
    canvas.box((300, 80, 200, 20), (0, 0, 255))
    assert (canvas.picture[30, 20] == (0, 255, 0)).all()
    assert (canvas.picture[20, 250] == (0, 0, 255)).all()


@pytest.mark.skipif(not fonts._files(), reason="no font is installed")
@pytest.mark.parametrize("text", ["Übung", "Ελληνικά", "Приседание"])
def test_text_of_any_script_is_not_drawn_as_question_marks(text: str) -> None:
    questions = "".join("?" if ord(character) > 127 else character for character in text)
    assert (caption(text) != caption(questions)).any()
    assert (caption(text) == 255).any()


def test_a_long_caption_stays_within_the_picture() -> None:
    picture = caption("a caption that is far too long for so small a picture " * 2)
    assert (picture[:, -2:] == 90).all()


def test_an_empty_caption_draws_nothing() -> None:
    np.testing.assert_array_equal(caption(""), GREY)
