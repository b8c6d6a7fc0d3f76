"""Parallel coordinates: scales, the order of the lines, and labels."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from engine.drawing import parallel
from engine.drawing.parallel import Column, Line

LINES = [Line("job 1", "best"), Line("job 2", "finished"), Line("job 3", "rejected")]


def drawn(*columns: Column, lines=LINES) -> ElementTree.Element:
    return ElementTree.fromstring(parallel.draw(columns, lines))


def ys(page: ElementTree.Element, label: str) -> list[float]:
    """The heights at which a line crosses the axes."""
    group = next(one for one in page.iter("g") if one.findtext("title") == label)
    points = group.find("polyline").get("points").split()
    return [float(point.split(",")[1]) for point in points]


def ticks(page: ElementTree.Element) -> list[str]:
    return [one.text for one in page.iter("text") if "tick" in one.get("class", "")]


def test_the_best_line_is_drawn_above_the_others():
    page = drawn(Column("n", [1.0, 2.0, 3.0]), Column("score", [3.0, 2.0, 1.0]))
    assert [one.findtext("title") for one in page.iter("g")] == ["job 3", "job 2", "job 1"]


def test_few_numbers_are_evenly_spaced_in_their_order():
    page = drawn(Column("lr", [0.001, 0.1, 0.01]))
    assert ticks(page) == ["0.001", "0.01", "0.1"]
    low, high, middle = (ys(page, line.label)[0] for line in LINES)
    assert low - middle == pytest.approx(middle - high) and low > high


def test_words_have_a_mark_each():
    assert ticks(drawn(Column("target", ["rpi4", "rpi3", "rpi4"]))) == ["rpi4", "rpi3"]


def test_an_objective_has_a_linear_scale_with_round_marks():
    page = drawn(Column("score", [0.1, 0.2, 0.9], is_measured=True))
    assert ticks(page) == ["0.2", "0.4", "0.6", "0.8"]
    a, b, c = (ys(page, line.label)[0] for line in LINES)
    assert (b - c) / (a - b) == pytest.approx(7, abs=0.1)


def test_many_numbers_over_decades_have_a_logarithmic_scale():
    values = [10.0**-one for one in range(1, 11)]
    lines = [Line(f"job {at}", "finished") for at in range(10)]
    page = drawn(Column("lr", values), lines=lines)
    heights = [ys(page, line.label)[0] for line in lines]
    steps = [b - a for a, b in itertools.pairwise(heights)]
    assert steps == pytest.approx([steps[0]] * 9, abs=0.2)


def test_a_line_leaves_out_an_axis_on_which_it_has_no_value():
    page = drawn(Column("n", [1.0, 2.0, 3.0]), Column("score", [None, 1.0, 2.0]))
    assert [len(ys(page, line.label)) for line in LINES] == [1, 2, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, -1e308])
def test_odd_numbers_are_drawn_inside_the_chart(value):
    page = parallel.draw([Column("n", [value, 1.0, 2.0], is_measured=True)], LINES)
    assert not re.search(r"nan|inf", page.replace("NaN", "nan").partition("</title>")[0].lower())


def test_labels_are_escaped():
    page = parallel.draw([Column("<n>", ["<b>", "c", "d"])], [Line("<i>", "best"), *LINES[1:]])
    assert "<b>" not in page and "<i>" not in page and "<n>" not in page
