"""The charts: well formed, inside their frame, and free of what a name might write."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drawing import charts
from engine.drawing.charts import Bar

EVIL = '<script>"a&b"</script>'
VALUES = st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf])
CURVES = st.dictionaries(
    st.text("ab<&", max_size=5),
    st.lists(st.tuples(st.integers(-5, 10**6), VALUES), min_size=1, max_size=6),
    max_size=5,
)


def _tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def _all(svg: str, tag: str, **having: str) -> list[ElementTree.Element]:
    return [
        one
        for one in _tree(svg).iter(tag)
        if all(one.get(key) == value for key, value in having.items())
    ]


def _words(svg: str) -> list[str]:
    return [one.text or "" for one in _all(svg, "text")]


def _points(curve: ElementTree.Element) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for x, y in (pair.split(",") for pair in curve.get("points", "").split())
    ]


# --- curves


def test_each_series_is_a_curve_and_a_word_of_the_legend():
    svg = charts.lines("loss", {"loss": [(0, 1.0), (1, 0.5)], "val_loss": [(0, 2.0), (1, 1.0)]})
    assert len(_all(svg, "polyline")) == 2
    assert {"loss", "val_loss"} <= set(_words(svg))


def test_a_higher_value_stands_higher_and_a_later_step_further_right():
    [curve] = _all(charts.lines("x", {"x": [(0, 1.0), (1, 3.0), (2, 2.0)]}), "polyline")
    (x0, y0), (x1, y1), (x2, y2) = _points(curve)
    assert x0 < x1 < x2 and y1 < y2 < y0


def test_one_point_is_a_dot():
    svg = charts.lines("x", {"x": [(3, 1.0)]})
    assert len(_all(svg, "circle")) == 1 and _all(svg, "polyline") == []


def test_a_value_that_is_no_number_is_a_gap():
    [curve] = _all(
        charts.lines("x", {"x": [(0, 1.0), (1, math.nan), (2, math.inf), (3, 2.0)]}), "polyline"
    )
    assert len(_points(curve)) == 2


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    [curve] = _all(charts.lines("x", {"x": [(n, float(n)) for n in range(10_000)]}), "polyline")
    points = _points(curve)
    assert len(points) <= charts.MOST_POINTS + 1
    whole = _points(_all(charts.lines("x", {"x": [(0, 0.0), (9_999, 9_999.0)]}), "polyline")[0])
    assert (points[0], points[-1]) == (whole[0], whole[-1])


@settings(max_examples=50)
@given(CURVES)
def test_any_curves_are_drawn_inside_their_frame(series):
    svg = charts.lines(EVIL, series, 460, 230)
    for curve in _all(svg, "polyline"):
        assert all(0 <= x <= 460 and 0 <= y <= 230 for x, y in _points(curve))
    assert "nan" not in svg


# --- timeline


def test_a_bar_begins_and_ends_with_its_stage():
    first, second = _all(
        charts.timeline([Bar("a", 0, 5, "finished"), Bar("b", 5, 10, "failed")]), "rect"
    )
    ends = [float(first.get("x")) + float(first.get("width")), float(second.get("x"))]
    assert ends[0] == pytest.approx(ends[1], abs=0.2)
    assert (first.get("class"), second.get("class")) == ("bar bar-finished", "bar bar-failed")


def test_a_bar_of_no_length_can_be_seen():
    bars = _all(
        charts.timeline([Bar("a", 0, 0, "finished"), Bar("b", 0, 1000, "finished")]), "rect"
    )
    assert float(bars[0].get("width")) == 2


def test_a_timeline_names_each_stage_and_how_long_it_took():
    assert {"train", "2 min 00 s"} <= set(
        _words(charts.timeline([Bar("train", 0, 120, "finished")]))
    )


def test_no_bars_are_an_empty_timeline():
    assert _all(charts.timeline([]), "rect") == []


@pytest.mark.parametrize(
    ("last", "ticks"), [(45.0, "10 s"), (3600.0, "10 min 00 s"), (2.0, "0.5 s")]
)
def test_the_ticks_of_time_are_round_on_a_clock(last, ticks):
    assert ticks in _words(charts.timeline([Bar("a", 0, last, "finished")]))


# --- confusion matrix


def test_each_count_is_a_cell_in_its_row_and_column():
    cells = [
        one.text
        for one in _all(charts.heat_map(["cat", "dog"], [[7, 1], [0, 1234]]), "text")
        if "cell-number" in one.get("class", "")
    ]
    assert cells == ["7", "1", "0", "1234"]


def test_the_shade_is_the_share_of_the_row():
    shades = [
        float(one.get("style").split(":")[1])
        for one in _all(charts.heat_map(["a", "b"], [[9, 1], [0, 0]]), "rect")
    ]
    assert shades == [0.905, 0.145, 0.05, 0.05]


def test_no_classes_are_an_empty_matrix():
    assert _all(charts.heat_map([], []), "rect") == []


# --- ticks


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
    assert charts.ticks(low, high, 5) == pytest.approx(found)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9), st.integers(1, 10))
def test_ticks_lie_between_the_ends_and_are_few(low, width, most):
    found = charts.ticks(low, low + width, most)
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)
    assert len(found) <= most + 2


@pytest.mark.parametrize(
    "svg",
    [
        charts.lines(EVIL, {EVIL: [(0, 1.0), (1, 2.0)]}),
        charts.timeline([Bar(EVIL, 0, 1, "finished")]),
        charts.heat_map([EVIL], [[1]]),
    ],
    ids=["lines", "timeline", "matrix"],
)
def test_a_name_cannot_write_markup(svg):
    assert _all(svg, "script") == []
    assert any(EVIL[:20] in word for word in _words(svg))
