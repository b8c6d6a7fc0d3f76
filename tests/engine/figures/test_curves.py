"""Curves: correct positions, gaps, inside the frame, named."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.figures import curves
from engine.figures.curves import Fields

EVIL = '<script>"a&b"</script>'
VALUES = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.lists(st.tuples(VALUES, VALUES | st.none()), max_size=6)


def _figure(y="loss", y_unit=None, **series) -> Fields:
    drawn = [
        {"name": name, "x": [x for x, _ in points], "y": [value for _, value in points]}
        for name, points in series.items()
    ]
    return {"series": drawn, "x": "step", "y": y, "x_unit": None, "y_unit": y_unit}


def _all(drawn: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(drawn).iter(tag))


def _points(curve: ElementTree.Element) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for x, y in (pair.split(",") for pair in curve.get("points", "").split())
    ]


def test_each_series_is_a_curve_and_a_word_of_the_legend():
    drawn = curves.draw(_figure(loss=[(0, 1.0), (1, 0.5)], val_loss=[(0, 2.0), (1, 1.0)]))
    assert len(_all(drawn, "polyline")) == 2
    assert [one.find("svg").tail for one in _all(drawn, "span")] == [" loss", " val_loss"]


def test_axes_are_titled_with_their_units():
    drawn = curves.draw(_figure("temperature", "°C", a=[(0, 1.0)]))
    assert {"step", "temperature (°C)"} <= {one.text for one in _all(drawn, "text")}


def test_a_higher_value_stands_higher_and_a_later_step_further_right():
    [curve] = _all(curves.draw(_figure(a=[(0, 1.0), (1, 3.0), (2, 2.0)])), "polyline")
    (x0, y0), (x1, y1), (x2, y2) = _points(curve)
    assert x0 < x1 < x2 and y1 < y2 < y0


def test_one_point_is_a_dot():
    drawn = curves.draw(_figure(a=[(3, 1.0)]))
    assert len(_all(drawn, "circle")) == 1 and _all(drawn, "polyline") == []


def test_a_value_that_is_missing_is_a_gap():
    points = [(0, 1.0), (1, 2.0), (2, None), (3, 2.0), (4, 3.0)]
    assert [len(_points(one)) for one in _all(curves.draw(_figure(a=points)), "polyline")] == [2, 2]


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    long = curves.draw(_figure(a=[(n, float(n)) for n in range(10_000)]))
    points = _points(_all(long, "polyline")[0])
    assert len(points) <= curves.MOST_DRAWN + 1
    ends = curves.draw(_figure(a=[(0, 0.0), (9_999, 9_999.0)]))
    assert [points[0], points[-1]] == _points(_all(ends, "polyline")[0])


@settings(max_examples=50)
@given(st.dictionaries(st.text("ab<&", max_size=5), POINTS, max_size=5))
def test_any_curves_are_drawn_inside_their_frame(series):
    drawn = curves.draw(_figure(EVIL, **series))
    for curve in _all(drawn, "polyline"):
        assert all(0 <= x <= 480 and 0 <= y <= 280 for x, y in _points(curve))
    assert "nan" not in drawn and not math.isinf(len(drawn))


def test_each_x_has_its_y():
    figure = _figure(a=[(0, 1.0)])
    figure["series"][0]["x"].append(1.0)
    with pytest.raises(ValueError, match=r"^the series 'a' must have as many values of x as of y"):
        curves.check(figure)
