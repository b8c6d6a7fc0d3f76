"""Bars: they begin at zero, and their lengths follow the values."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from engine.figures import bars

ROUNDING = 0.2  # pixels: coordinates have one decimal


def _figure(**values):
    drawn = [
        {"name": name, "value": v, "low": low, "high": high}
        for name, (v, low, high) in values.items()
    ]
    return {"bars": drawn, "x": "importance", "x_unit": "MAD"}


def _parts(figure, kind: str) -> list[dict[str, float]]:
    tree = ElementTree.fromstring(bars.draw(figure))
    found = [one.attrib for one in tree.iter() if one.get("class") == kind]
    return [{key: float(one[key]) for key in one if re.match(r"[xy]|width", key)} for one in found]


def test_a_bar_begins_at_zero_and_is_as_long_as_its_value():
    figure = _figure(a=(4.0, 4.0, 4.0), b=(-2.0, -2.0, -2.0))
    first, second = _parts(figure, "bar")
    assert first["width"] == pytest.approx(2 * second["width"], abs=ROUNDING)
    assert second["x"] + second["width"] == pytest.approx(first["x"], abs=ROUNDING)
    assert first["y"] < second["y"]


def test_a_line_shows_the_range_of_a_value():
    figure = _figure(a=(2.0, 1.0, 3.0))
    ([bar], [line]) = _parts(figure, "bar"), _parts(figure, "range")
    assert line["x1"] == pytest.approx(bar["x"] + bar["width"] / 2, abs=ROUNDING)
    assert line["x2"] == pytest.approx(bar["x"] + 1.5 * bar["width"], abs=ROUNDING)


def test_names_and_the_quantity_are_written_and_a_long_name_is_cut():
    words = "".join(
        ElementTree.fromstring(bars.draw(_figure(**{"w" * 60: (1.0, 1.0, 1.0)}))).itertext()
    )
    assert "importance (MAD)" in words and "w" * 27 + "…" in words


def test_bars_of_zero_are_drawn():
    assert len(_parts(_figure(a=(0.0, 0.0, 0.0)), "bar")) == 1


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="the range of 'a' must not end before it begins"):
        bars.check(_figure(a=(1.0, 2.0, 0.0)))
