"""Halves of characters in a data set of sentences."""

import pytest

from stages.text.formats._encoding import whole


def test_half_a_character_is_replaced():
    assert whole("a\ud83d b 👋") == "a\ufffd b 👋"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.json",
            r'{"intents": [{"tag": "a", "patterns": ["hi \ud83d"], "responses": ["\ude00 \ud83d\udc4b"]}]}',
        ),
        ("a.yml", 'nlu: [{intent: a, examples: ["hi \\ud83d"]}]\nresponses: {a: ["\\ude00 👋"]}'),
    ],
)
def test_half_a_character_in_a_file_is_replaced(read, name, text):
    corpus = read(**{name: text}).corpus
    assert corpus.sentences[0].text == "hi \ufffd" and corpus.responses["a"] == ["\ufffd 👋"]
