"""The training sentences in a package, and the most similar ones."""

import json

import pytest

from engine.stage import StageError
from stages.tasks.text import nearest

EXAMPLES = [
    {"text": "book a table", "intent": "book"},
    {"text": "ένα τραπέζι", "intent": "book"},
    {"text": "hello", "intent": "greet"},
    {"text": "how tall is it", "intent": None},
]


def test_what_is_written_is_read(tmp_path):
    nearest.write(tmp_path, EXAMPLES)
    assert nearest.read(tmp_path) == EXAMPLES


def test_a_package_may_have_none(tmp_path):
    assert nearest.read(tmp_path) == []


def test_the_most_similar_come_first_and_unlike_ones_not_at_all():
    found = nearest.most_similar("BOOK a  table!", EXAMPLES)
    assert found[0]["text"] == "book a table"
    assert found[0]["similarity"] > 0.8 and "ένα τραπέζι" not in [one["text"] for one in found]
    assert nearest.most_similar("Hello", EXAMPLES)[0] == {**EXAMPLES[2], "similarity": 1.0}


@pytest.mark.parametrize("data", ["[", [1], {"intents": []}, {"intents": {}}])
def test_a_damaged_file_is_refused(tmp_path, data):
    text = data if isinstance(data, str) else json.dumps(data)
    (tmp_path / nearest.FILE).write_text(text)
    with pytest.raises(StageError, match="damaged"):
        nearest.read(tmp_path)
