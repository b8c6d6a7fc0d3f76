"""Marks: escaped text, and lines that differ in more than their colour."""

import itertools
import xml.etree.ElementTree as ElementTree

from engine.svg import marks

EVIL = '<script>"a&b"</script>'


def test_words_are_escaped_wherever_they_stand():
    parts = [marks.text(0, 0, EVIL), marks.turned(0, 0, EVIL, "tick", -90)]
    chart = ElementTree.fromstring(marks.chart(EVIL, 10, 10, parts))
    assert [one.text for one in chart] == [EVIL, EVIL] and chart.get("aria-label") == EVIL
    assert EVIL in "".join(ElementTree.fromstring(marks.legend([EVIL])).itertext())


def test_series_next_to_one_another_differ_in_colour_and_in_their_dashes():
    styles = [marks.series(index).split(";") for index in range(marks.COLOURS)]
    assert len({colour for colour, _ in styles}) == marks.COLOURS
    assert all(one[1] != other[1] for one, other in itertools.pairwise(styles))


def test_a_single_series_without_a_name_needs_no_legend():
    assert marks.legend([""]) == ""


def test_a_long_label_is_cut_with_a_sign():
    assert (marks.clipped("abcdef", 4), marks.clipped("abcd", 4)) == ("abc…", "abcd")
