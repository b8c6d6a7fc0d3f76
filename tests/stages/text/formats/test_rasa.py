"""Rasa's training data in YAML."""

import os
import time
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase

import pytest

from engine.stage import StageError
from stages.text.formats import _find
from stages.text.formats._findings import Findings

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", "/nowhere"))
NLU = """
version: "3.1"
nlu:
- intent: greet
  examples: |
    - ciao
    - hello
    -
- intent: yes
  examples:
    - text: |
        sure
    - go on
- intent: search
  examples: |
    - find [Spider-Man](comic) number [5](issue)
    - find [the bat]{"entity": "comic", "value": "Batman"}
    - find [superman](comic:Superman)
    - an [open]() mark
- synonym: Spider-Man
  examples: |
    - spidey
- lookup: city
  examples: |
    - Rome
- regex: zip
  examples: |
    - [0-9]{5}
"""


def test_sentences_lose_the_marks_of_their_entities(read):
    found = read(**{"nlu.yml": NLU})
    assert found.sentences == [
        ("ciao", "greet"),
        ("hello", "greet"),
        ("sure", "yes"),
        ("go on", "yes"),
        ("find Spider-Man number 5", "search"),
        ("find the bat", "search"),
        ("find superman", "search"),
        ("an open mark", "search"),
    ]
    assert found.counts == {"blank": 1, "broken_marks": 1}


def test_the_names_of_intents_stay_texts(read):
    found = read(**{"nlu.yml": "nlu:\n- intent: no\n  examples: |\n    - nope\n    - 1.0\n"})
    assert found.sentences == [("nope", "no"), ("1.0", "no")]


def test_each_sentence_has_its_line(read):
    found = read(**{"nlu.yml": NLU})
    assert [one.source for one in found.corpus.sentences[:2]] == [
        "nlu.yml, line 6",
        "nlu.yml, line 7",
    ]


def test_marked_values_lookups_synonyms_and_patterns_are_entities(read):
    corpus = read(**{"nlu.yml": NLU}).corpus
    assert corpus.lookups == {
        "comic": {"Spider-Man": [], "Batman": ["the bat"], "Superman": ["superman"]},
        "issue": {"5": []},
        "city": {"Rome": []},
    }
    assert corpus.synonyms == {"Spider-Man": ["spidey"]}
    assert corpus.patterns == {"zip": ["[0-9]{5}"]}


def test_several_files_and_a_domain_are_joined(read):
    domain = "intents: [greet]\nentities: [comic]\nresponses:\n  utter_greet:\n  - text: Hi!\n  - image: x\n"
    found = read(
        **{
            "data/nlu.yml": NLU,
            "data/more.yaml": NLU,
            "domain.yml": domain,
            "stories.yml": "stories: []",
        }
    )
    assert len(found.sentences) == 16
    assert dict(found.corpus.responses) == {"greet": ["Hi!"]}
    assert found.counts["ignored_files"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "nlu:\n- intent: a\n  examples: |\n  - x\n\t- y\n",
            r"a.yml, line 4, column 3: .*indentation",
        ),
        ("nlu: [\n", "a.yml, line 2"),
        ("nlu: {a: b}", "nlu is .*: write a list"),
        ("nlu:\n- examples: x\n", "nlu, entry 1, is not an intent: write '- intent: greet'"),
        ("nlu:\n- intent: a\n  examples: {b: c}\n", "examples are .*: write"),
        ("nlu:\n- intent: a\n  examples:\n  - {c: d}\n", "an example has no text"),
        ("nlu:\n", "has no sentences"),
        ("nlu:\n- lookup: the city\n", "a.yml: lookup: 'the city' cannot be used in a response"),
        ("nlu:\n- regex: zip-code\n", "a.yml: regex: 'zip-code' cannot be used"),
        ("nlu:\n- intent: [a]\n", r"entry 1: intent is \['a'\]: write its name"),
        ("a: !!python/object/apply:os.system [ls]\n", "has no sentences"),
    ],
)
def test_what_cannot_be_used_is_named(read, text, said):
    with pytest.raises(StageError, match=said):
        read(**{"a.yml": text})


@pytest.mark.parametrize(
    "use",
    [
        "nlu: *z",
        "nlu:\n- *z",
        "nlu: [{intent: *z}]",
        "nlu: [{intent: a, examples: *z}]",
        "responses: {a: *z}",
    ],
)
def test_anchors_that_multiply_are_named_at_once(read, use):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(ascii_lowercase)]
    start_s = time.perf_counter()
    with pytest.raises(StageError, match=r"a\.yml: .*: write|a\.yml: .* has no text"):
        read(**{"a.yml": "\n".join([*lines, use])})
    assert time.perf_counter() - start_s < 5


@pytest.mark.parametrize(
    "described", ["x" * 20_000, "x: " * 7_000, "x" + " " * 20_000, "'" * 20_000]
)
def test_a_long_mark_takes_a_moment(read, described):
    start_s = time.perf_counter()
    found = read(
        **{
            "a.yml": f"nlu:\n- intent: a\n  examples:\n  - '[b]{{{described.replace(chr(39), chr(34))}}}'\n"
        }
    )
    assert found.counts == {"broken_marks": 1} and time.perf_counter() - start_s < 2


@pytest.mark.mirror
def test_a_real_file_is_read():
    path = MIRROR / "chatbot/rasa/nlu.yml"
    if not path.is_file():
        pytest.skip("RPI_MLOPS_MIRROR names no folder with the Rasa file")
    corpus = _find.read(path, Findings())
    assert len(corpus.sentences) == 129 and len(corpus.intents) == 9
    assert set(corpus.lookups) == {"comic", "num_comic", "date"}
