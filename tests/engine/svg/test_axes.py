"""Axes: round ticks, labels with equal decimals, and values inside their frame."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.svg import axes
from engine.svg.axes import Axis, Frame

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3, 3, [-2, 0, 2]),
        (7, 7, [7]),
        (0, math.inf, [0]),
    ],
)
def test_ticks_are_round_numbers(low, high, found):
    assert axes.ticks(low, high, 5) == pytest.approx(found)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9), st.integers(1, 10))
def test_ticks_lie_between_the_ends_and_are_few(low, width, most):
    found = axes.ticks(low, low + width, most)
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)
    assert len(found) <= most + 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 0.5, 1.0], ["0.0", "0.5", "1.0"]),
        ([-0.2, 0.0, 0.2], ["-0.2", "0.0", "0.2"]),
        ([0, 5, 10], ["0", "5", "10"]),
        ([0, 20_000, 40_000], ["0k", "20k", "40k"]),
        ([1_000_000, 1_500_000], ["1.0M", "1.5M"]),
        ([2e-5, 4e-5], ["2e-05", "4e-05"]),
        ([0.25], ["0.25"]),
        ([], []),
    ],
)
def test_ticks_are_written_with_the_same_decimals(values, words):
    assert axes.tick_words(values) == words


def test_an_axis_of_whole_numbers_has_no_tick_between_two():
    assert Axis("epoch", 0, 2, is_whole=True).ticks(7) == [0, 1, 2]


@given(FINITE, FINITE, FINITE)
def test_any_value_between_the_ends_of_its_axis_lies_in_the_frame(one, other, third):
    low, value, high = sorted([one, other, third])
    frame = Frame(Axis("x", low, high), Axis("y", *axes.padded(low, high)))
    assert frame.left <= frame.x(value) <= frame.right
    assert frame.top <= frame.y(value) <= frame.bottom
    assert not any("nan" in part or "inf" in part for part in frame.parts())


def test_a_title_names_its_unit():
    assert (axes.titled("latency", "ms"), axes.titled("recall", None)) == ("latency (ms)", "recall")
