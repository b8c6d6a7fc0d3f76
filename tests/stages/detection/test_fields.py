"""Fields of annotations are read, or refused with a short reason."""

import pytest

from stages.detection.annotations._fields import Broken, flag, label, number, side


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), (" 2.5 ", 2.5), ("1e2", 100), (3, 3), (-4.5, -4.5)]
)
def test_a_number_may_be_text(text, value):
    assert number(text, "xmin") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "xmin is missing"),
        ("", "xmin is missing"),
        ("1,5", "xmin is '1,5'"),
        ([1], r"xmin is \[1\]"),
        ("nan", "xmin is nan"),
        ("1e999", "xmin is 1e999"),
        (10**400, "xmin is 1000000000"),
    ],
)
def test_what_is_no_number_is_refused(text, reason):
    with pytest.raises(Broken, match=reason):
        number(text, "xmin")


@pytest.mark.parametrize(
    ("text", "value"), [(" cat ", "cat"), ("red\n cat", "red cat"), (7, "7"), ("ζώο", "ζώο")]
)
def test_a_class_is_one_line_without_spaces_around_it(text, value):
    assert label(text) == value


@pytest.mark.parametrize("text", [None, "", "  ", "do\x07g", ["dog"], {}])
def test_what_is_no_class_is_refused(text):
    with pytest.raises(Broken):
        label(text)


@pytest.mark.parametrize("text", [None, "", "0", 0, -5, "abc", "nan", [], 10**400])
def test_a_size_that_is_none_is_unknown(text):
    assert side(text) is None


def test_a_size_is_a_whole_number():
    assert (side("640"), side(480.0)) == (640, 480)


@pytest.mark.parametrize(
    ("text", "is_set"), [("1", True), (1, True), (True, True), ("0", False), (None, False)]
)
def test_a_flag_is_set_or_not(text, is_set):
    assert flag(text) is is_set
