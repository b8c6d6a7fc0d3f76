"""Histograms: the height of bins follows their counts, and the width their edges."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from engine.figures import histogram

ROUNDING = 0.31  # pixels: coordinates have one decimal, and a width is compared with twice another


def _figure(edges, **series):
    drawn = [{"name": name, "counts": counts} for name, counts in series.items()]
    return {"edges": edges, "series": drawn, "x": "latency", "y": "count", "x_unit": "ms"}


def _outlines(figure) -> list[str]:
    tree = ElementTree.fromstring(histogram.draw(figure))
    return [one.get("d") for one in tree.iter("path") if one.get("class") == "bin"]


def test_a_bin_is_as_wide_as_its_edges_and_as_high_as_its_count():
    [outline] = _outlines(_figure([0.0, 1.0, 3.0], a=[4.0, 2.0]))
    left, ground = map(float, re.match(r"M([\d.]+) ([\d.]+)", outline).groups())
    tops = [float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", outline)]
    ends = [left, *(float(x) for x in re.findall(r"H([\d.]+)", outline))]
    assert ground - tops[0] == pytest.approx(2 * (ground - tops[1]), abs=ROUNDING)
    assert ends[2] - ends[1] == pytest.approx(2 * (ends[1] - ends[0]), abs=ROUNDING)


def test_each_series_has_its_outline_and_its_name():
    figure = _figure([0.0, 1.0], float=[1.0], int8=[2.0])
    assert len(_outlines(figure)) == 2
    words = "".join(ElementTree.fromstring(histogram.draw(figure)).itertext())
    assert "float" in words and "int8" in words and "latency (ms)" in words


def test_bins_without_any_count_are_drawn_flat():
    assert len(_outlines(_figure([0.0, 1.0], a=[0.0]))) == 1


@pytest.mark.parametrize(
    ("edges", "counts", "why"),
    [
        ([0.0, 0.0], [1.0], "each edge of a histogram must be larger"),
        ([0.0, 1.0], [1.0, 2.0], "the series 'a' must have a count for each bin"),
    ],
)
def test_edges_and_counts_that_do_not_belong_together_are_refused(edges, counts, why):
    with pytest.raises(ValueError, match=f"^{why}"):
        histogram.check(_figure(edges, a=counts))
