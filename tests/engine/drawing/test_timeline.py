"""The timeline: a bar for each stage, on a readable time axis."""

import xml.etree.ElementTree as ElementTree

import pytest

from engine.drawing.timeline import MOST_TICKS, Bar, timeline

EVIL = '<script>"a&b"</script>'


def _all(page: str, kind: str) -> list[ElementTree.Element]:
    elements = ElementTree.fromstring(page).iter()
    return [one for one in elements if kind in one.get("class", "").split()]


def _words(page: str, kind: str) -> list[str]:
    return [one.text or "" for one in _all(page, kind)]


def _span(bar: ElementTree.Element) -> tuple[float, float]:
    """The left end and the width, in percent."""
    style = dict(one.split(":") for one in bar.get("style", "").split(";"))
    return float(style["left"].rstrip("%")), float(style["width"].rstrip("%"))


def test_a_bar_begins_and_ends_with_its_stage():
    first, second = _all(timeline([Bar("a", 0, 5, "finished"), Bar("b", 5, 5, "failed")]), "bar")
    assert (_span(first), _span(second)) == ((0, 50), (50, 50))
    assert (first.get("class"), second.get("class")) == ("bar bar-finished", "bar bar-failed")


def test_a_timeline_names_each_stage_and_how_long_it_took():
    page = timeline([Bar("train", 0, 120, "finished")])
    assert (_words(page, "who"), _words(page, "took")) == (["train"], ["2 min 00 s"])


def test_no_bars_are_an_empty_timeline():
    assert _all(timeline([]), "bar") == []


@pytest.mark.parametrize(
    ("last", "second"),
    [(45.0, "10 s"), (3600.0, "15 min"), (7300.0, "30 min"), (90_000.0, "12 h"), (2.0, "0.5 s")],
)
def test_the_ticks_of_time_are_round_on_a_clock(last, second):
    words = _words(timeline([Bar("a", 0, last, "finished")]), "tick")
    assert words[:2] == ["0", second] and len(words) <= MOST_TICKS + 1


def test_a_name_cannot_write_markup():
    page = timeline([Bar(EVIL, 0, 1, "finished")])
    assert "<script" not in page and _words(page, "who") == [EVIL]
