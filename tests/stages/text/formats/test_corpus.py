"""Names of intents, whatever the format of the file that has them."""

import json

import pytest

from engine.stage import StageError
from stages.text.formats._corpus import Corpus


@pytest.mark.parametrize("gap", ["\n", "\r\n", "\u2028", "\x85", " \t "])
def test_a_name_is_one_line(gap):
    corpus = Corpus()
    corpus.add("a table", f" book{gap}table ", "a.csv, line 1")
    assert corpus.sentences[0].intent == "book table" and list(corpus.intents) == ["book table"]


def test_responses_belong_to_the_same_name(read):
    intent = {"tag": "book\ntable", "patterns": ["a"], "responses": ["When?"]}
    files = {
        "a.json": json.dumps({"intents": [intent]}),
        "b.yml": 'contexts: {"book\\ntable": {sets: x}}',
    }
    corpus = read(**files).corpus
    assert set(corpus.responses) == set(corpus.contexts) == {"book table"}


def test_other_invisible_characters_are_refused():
    with pytest.raises(
        StageError, match=r"a.csv: .*'gr\\x07eet' has the invisible .*U\+0007: remove"
    ):
        Corpus().name("gr\x07eet", "a.csv")


@pytest.mark.parametrize("name", ["نمی\u200cدانم", "👨\u200d👩\u200d👧", "book/table (2)"])
def test_visible_names_are_kept(name):
    corpus = Corpus()
    corpus.name(name, "a.csv")
    assert list(corpus.intents) == [name]
