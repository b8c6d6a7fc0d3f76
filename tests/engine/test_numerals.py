"""How numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.numerals import number


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "1"),
        (0, "0"),
        (-3.0, "-3"),
        (0.98765, "0.9877"),
        (1234.5678, "1235"),
        (1234567, "1234567"),
        (14597.3, "14597"),
        (1e-7, "1e-07"),
        (3e15, "3e+15"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (None, "none"),
    ],
)
def test_a_number_has_four_digits_and_a_whole_one_all(value, said):
    assert number(value) == said


def test_thousands_stand_apart_where_asked():
    assert (
        number(1234567, grouped=True) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"
    )


@given(st.floats())
def test_any_number_can_be_formatted(value):
    assert number(value) and number(value, grouped=True)
