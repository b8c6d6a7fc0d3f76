"""The contract of all kinds of figures."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from engine import figure_kinds, figure_page
from engine.figure_kinds import FigureKind

KINDS = figure_kinds.names()
EVIL = "<script>alert(1)</script>&\"'"


def _figure(kind: str) -> dict[str, object]:
    return {"kind": kind, "name": "f", **json.loads(json.dumps(figure_kinds.of(kind).EXAMPLE))}


def _with_evil_words(value: object) -> object:
    """Return the value with markup in every text that is not a picture."""
    if isinstance(value, dict):
        return {key: one if key == "data" else _with_evil_words(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_evil_words(one) for one in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_all_that_the_protocol_asks_for(kind):
    found = figure_kinds.of(kind)
    assert found.__doc__ and found.HEADING
    assert {name for name in FigureKind.__annotations__ if not hasattr(found, name)} == set()
    assert callable(found.check) and callable(found.draw)


@pytest.mark.parametrize("kind", KINDS)
def test_its_example_is_a_figure_of_its_kind(kind):
    figure = _figure(kind)
    assert figure_kinds.checked({**figure, "more": 1}) == figure
    assert set(figure_kinds.fields(kind)) == figure.keys() - {"kind", "name"}


@pytest.mark.parametrize("kind", KINDS)
def test_its_drawing_is_well_formed_and_the_same_each_time(kind):
    drawn = figure_page.fragment(_figure(kind))
    assert "undrawn" not in drawn and drawn == figure_page.fragment(_figure(kind))
    ElementTree.fromstring(drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_of_a_figure_becomes_markup_and_nothing_is_loaded(kind):
    figure = {**_figure(kind), **_with_evil_words(figure_kinds.of(kind).EXAMPLE)}
    tree = ElementTree.fromstring(figure_page.fragment(figure))
    assert [one.tag for one in tree.iter() if one.tag in ("script", "link", "iframe")] == []
    sources = [one.get("src") or one.get("href") for one in tree.iter()]
    assert all(one.startswith("data:image/") for one in sources if one)


def test_a_kind_is_imported_only_when_a_figure_needs_it():
    code = (
        "import sys, engine.eventschema, engine.figure_kinds as f; f.names(); "
        "print([name for name in sys.modules if name.startswith('engine.figures.')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_what_scrolls_can_be_scrolled_with_the_keyboard(kind):
    drawing = figure_page.fragment(_figure(kind))
    assert drawing.count('class="scroll"') == drawing.count('class="scroll" tabindex="0"')
