"""What the text of a cell means: nothing, a number, or a word."""

import pytest

from stages.tasks.columns import cells
from stages.tasks.columns.column import as_number


@pytest.mark.parametrize(
    ("text", "decimal", "value", "unit"),
    [
        ("12", ".", 12, ""),
        ("-3.5e-2", ".", -0.035, ""),
        ("+7", ".", 7, ""),
        (".5", ".", 0.5, ""),
        ("1,234.5", ".", 1234.5, ""),
        ("1 234 567", ".", 1234567, ""),
        ("1'234.5", ".", 1234.5, ""),
        ("\u2212 4", ".", -4, ""),
        ("12 %", ".", 12, "%"),
        ("$1,234.50", ".", 1234.5, "$"),
        ("-$5", ".", -5, "$"),
        ("21.5°C", ".", 21.5, "°C"),
        ("80 km/h", ".", 80, "km/h"),
        ("3,5", ",", 3.5, ""),
        ("1.234,5", ",", 1234.5, ""),
        ("1.234", ",", 1234, ""),
        ("1.234", ".", 1.234, ""),
        ("1.234,50 €", ",", 1234.5, "€"),
        ("1e400", ".", float("inf"), ""),
        ("inf", ".", float("inf"), ""),
    ],
)
def test_a_number_is_read_with_its_unit(text, decimal, value, unit):
    assert cells.number(text, decimal) == (value, unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "nan",
        "1_000",
        "M14860",
        "5-6",
        "2024-01-31",
        "12:30",
        "1,23,4",
        "0,123",
        "<5",
        "3.4.5",
    ],
)
def test_a_word_is_no_number(text):
    assert cells.number(text) is None


def test_a_number_may_have_the_other_decimal_sign_only_if_that_leaves_no_doubt():
    assert as_number("3,5", ".") == as_number("3.5", ",") == 3.5
    assert as_number("1,234", ".") == as_number("1.234", ",") == 1234
    assert as_number("0,123", ".") == 0.123


@pytest.mark.parametrize("cell", ["inf", float("nan"), 10**400, None, "x"])
def test_what_is_not_finite_is_no_number(cell):
    assert as_number(cell, ".") is None


@pytest.mark.parametrize("text", ["", "?", "NA", "n/a", "NaN", "null", "<NA>"])
def test_every_column_knows_these_words_for_a_missing_value(text):
    assert cells.is_missing(text) and cells.is_no_number(text)


@pytest.mark.parametrize("text", ["None", "-", "unknown"])
def test_words_that_may_be_categories_are_missing_only_among_numbers(text):
    assert cells.is_no_number(text) and not cells.is_missing(text)


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), (True, "true"), (3.0, "3"), (3.25, "3.25"), ("\tno ", "no"), ("a \n b", "a b")],
)
def test_a_cell_of_json_is_written_as_in_csv(cell, text):
    assert cells.cleaned(cell) == text


def test_words_are_equal_whatever_their_letter_case_and_spaces():
    assert cells.key(" Very  GOOD") == cells.key("very good")


def test_digits_after_a_zero_are_a_code():
    assert cells.is_code("01067") and not cells.is_code("0") and not cells.is_code("0.5")
