"""The file of a chatbot's responses, contexts and entities."""

import json

import pytest

from engine.stage import StageError
from stages.tasks.text import rules
from stages.tasks.text.rules import Context, Rules

RULES = Rules(
    responses={"greet": ["γεια 👋"]},
    contexts={"greet": Context([], ["talking"])},
    lookups={"city": {"Rome": ["Roma"]}},
    patterns={"order": ["[0-9]+"]},
    not_understood=["?"],
)


def test_what_is_written_is_read(tmp_path):
    RULES.write(tmp_path)
    assert rules.read(tmp_path) == RULES
    assert "👋" in (tmp_path / rules.FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changed",
    [
        {"not_understood": []},
        {"not_understood": "?"},
        {"responses": {"greet": [1]}},
        {"responses": {"greet": "Hi"}},
        {"responses": ["Hi"]},
        {"contexts": {"a": {"requires": "b"}}},
        {"lookups": ["Rome"]},
        {"lookups": {"city": ["Rome"]}},
        {"lookups": {"city": {"Rome": "Roma"}}},
        {"patterns": {"order": "[0-9]"}},
        {"patterns": {"order": ["[0-9"]}},
        {"patterns": {"order": ["(?a)(?u)x"]}},
        {"patterns": {"order": ["a{99999999999}"]}},
        {"contexts": {"a": {"x": 1}}},
        {"x": 1},
    ],
)
def test_a_damaged_file_is_refused(tmp_path, changed):
    RULES.write(tmp_path)
    data = json.loads((tmp_path / rules.FILE).read_text(encoding="utf-8"))
    (tmp_path / rules.FILE).write_text(json.dumps({**data, **changed}))
    with pytest.raises(StageError, match="package the model again"):
        rules.read(tmp_path)
