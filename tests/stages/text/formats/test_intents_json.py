"""intents.json, in the forms of its many tutorials."""

import json

import pytest

from engine.stage import StageError
from stages.tasks.text.rules import Context

GREET = {"tag": "greet", "patterns": ["hello", " 你好 "], "responses": ["Hi!", ""]}
BOOK = {"tag": "book", "patterns": ["a table"], "responses": "When?"}


def _read(read, *intents, **more):
    return read(**{"intents.json": json.dumps({"intents": intents, **more})})


def test_sentences_and_responses_are_read(read):
    found = _read(read, GREET, BOOK)
    assert found.sentences == [("hello", "greet"), ("你好", "greet"), ("a table", "book")]
    assert dict(found.corpus.responses) == {"greet": ["Hi!"], "book": ["When?"]}
    assert found.corpus.sentences[1].source == "intents.json, 'greet', pattern 2"
    assert found.counts == {}


def test_a_list_and_other_names_of_keys_are_read(read):
    rows = [{"Intent": "greet", "Text": ["hello"]}, {"intent": "book", "examples": "a table"}]
    found = read(**{"x.json": json.dumps(rows)})
    assert found.sentences == [("hello", "greet"), ("a table", "book")]


@pytest.mark.parametrize(
    ("keys", "context"),
    [
        ({"context": [""]}, None),
        ({"context_set": "", "context_filter": ""}, None),
        ({"context_set": "booking"}, Context([], ["booking"])),
        ({"context_filter": "booking"}, Context(["booking"], [])),
        ({"context": ["a", "b"]}, Context([], ["a", "b"])),
        ({"context": {"requires": "a", "sets": ["b"]}}, Context(["a"], ["b"])),
        ({"context": {"in": "a", "out": "", "clear": False}}, Context(["a"], [])),
    ],
)
def test_contexts_are_read_in_the_forms_of_tutorials(read, keys, context):
    found = _read(read, GREET, {**BOOK, **keys})
    assert found.corpus.contexts == ({"book": context} if context else {})


def test_entities_are_lists_values_with_forms_and_patterns(read):
    entities = {"city": ["Rome"], "dish": {"pizza": ["Pizzen"]}, "order": "[0-9]{4}"}
    found = _read(read, GREET, BOOK, entities=entities)
    assert found.corpus.lookups == {"city": {"Rome": []}, "dish": {"pizza": ["Pizzen"]}}
    assert found.corpus.patterns == {"order": ["[0-9]{4}"]}


def test_a_number_is_a_name(read):
    found = _read(read, {"tag": 0, "patterns": ["a"]}, {"tag": 2.5, "patterns": ["b"]})
    assert found.sentences == [("a", "0"), ("b", "2.5")]
    assert read(**{"intents.json": '[{"tag": 0, "patterns": ["a"]}]'}).sentences == [("a", "0")]


def test_an_empty_list_of_entities_is_none(read):
    assert _read(read, GREET, BOOK, entities=[]).corpus.lookups == {}


def test_out_of_scope_is_an_intent_by_its_name(read):
    found = _read(read, GREET, {"tag": "Out-of-Scope", "patterns": ["how tall"]})
    assert found.sentences[-1] == ("how tall", None)


def test_empty_sentences_are_counted(read):
    assert _read(read, {"tag": "greet", "patterns": ["hello", " ", ""]}).counts == {"blank": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"intents": [\n  {"tag": "a",}\n]}',
            r"data.json, line 2, column 1\d: .*remove the comma",
        ),
        ('{"intents": [\n  1, ]}', "line 2, column .*remove the comma before ]"),
        ('{"intents": [{"tag" "a"}]}', "line 1, column 21"),
        ('{"intents": [{"tag": "a" "x": 1}]}', "add the missing comma"),
        ('{"intents": {}}', r"data.json: intents is \{\}: write a list"),
        ('{"intents": [1]}', "intents, entry 1, is 1: write an object"),
        ('{"intents": [{"patterns": ["a"]}]}', "intent 1 has no tag"),
        ('{"intents": [{"tag": "a", "patterns": [["b"]]}]}', "patterns is .'b'.: write a text"),
        ('{"intents": [{"tag": "a", "patterns": ["b"], "responses": {"x": 1}}]}', "responses is"),
        (
            '{"intents": [{"tag": "a", "patterns": ["b"]}], "entities": {"the city": ["x"]}}',
            "'the city' cannot be used in a response",
        ),
        ('{"intents": [{"tag": "a", "patterns": ["b"]}], "entities": ["city"]}', "entities is"),
        ('{"a": 1}', "has no sentences with their intents: give an intents.json"),
        ("[" * 100_000, "nested too deeply"),
        (" \n", "data.json: the file is empty"),
        ('{"intents": [{"tag": true}]}', "intent 1 has no tag"),
    ],
)
def test_what_cannot_be_used_is_named(read, text, said):
    with pytest.raises(StageError, match=said):
        read(**{"data.json": text})
