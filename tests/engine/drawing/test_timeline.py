"""The timeline: a bar for each stage, on a clock that a person reads."""

import xml.etree.ElementTree as ElementTree

import pytest

from engine.drawing.timeline import Bar, timeline

EVIL = '<script>"a&b"</script>'


def _all(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(tag))


def _words(svg: str) -> list[str]:
    return [one.text or "" for one in _all(svg, "text")]


def test_a_bar_begins_and_ends_with_its_stage():
    first, second = _all(timeline([Bar("a", 0, 5, "finished"), Bar("b", 5, 5, "failed")]), "rect")
    ends = [float(first.get("x")) + float(first.get("width")), float(second.get("x"))]
    assert ends[0] == pytest.approx(ends[1], abs=0.2)
    assert (first.get("class"), second.get("class")) == ("bar bar-finished", "bar bar-failed")


def test_a_bar_of_no_length_can_be_seen():
    bars = _all(timeline([Bar("a", 0, 0, "finished"), Bar("b", 0, 1000, "finished")]), "rect")
    assert float(bars[0].get("width")) == 2


def test_a_timeline_names_each_stage_and_how_long_it_took():
    assert {"train", "2 min 00 s"} <= set(_words(timeline([Bar("train", 0, 120, "finished")])))


def test_no_bars_are_an_empty_timeline():
    assert _all(timeline([]), "rect") == []


@pytest.mark.parametrize(
    ("last", "ticks"), [(45.0, "10 s"), (3600.0, "10 min 00 s"), (2.0, "0.5 s")]
)
def test_the_ticks_of_time_are_round_on_a_clock(last, ticks):
    assert ticks in _words(timeline([Bar("a", 0, last, "finished")]))


def test_a_name_cannot_write_markup():
    svg = timeline([Bar(EVIL, 0, 1, "finished")])
    assert _all(svg, "script") == [] and EVIL in _words(svg)
