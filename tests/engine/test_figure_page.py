"""Figures on pages: a complete page for one figure, and a sentence if drawing fails."""

import pytest

from engine import figure_kinds, figure_page

FIGURE = {"kind": "confusion_matrix", "name": "<b>", "labels": ["a"], "matrix": [[1]]}


def test_a_figure_alone_is_a_page_that_loads_nothing():
    page = figure_page.page(FIGURE)
    assert page.startswith("<!doctype html>") and "default-src 'none'" in page
    assert "<title>&lt;b&gt;</title>" in page and "<b>" not in page
    assert figure_page.fragment(FIGURE) in page and ".ramp" in page


@pytest.mark.parametrize("change", [{"matrix": [[1, 2]]}, {"labels": 3}, {"kind": "globe"}])
def test_a_figure_of_another_version_of_its_kind_is_named_instead_of_drawn(change):
    assert figure_page.fragment({**FIGURE, **change}).startswith('<p class="undrawn">')


def test_a_fault_of_a_kind_is_told_in_place_of_its_drawing(monkeypatch):
    def broken(figure):
        raise ZeroDivisionError("<division>")

    monkeypatch.setattr(figure_kinds.of("confusion_matrix"), "draw", broken)
    assert "(ZeroDivisionError: &lt;division&gt;)" in figure_page.fragment(FIGURE)
