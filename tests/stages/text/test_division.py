"""Which sentences are used, and in which part."""

import pytest

from engine.stage import StageError
from stages.tasks.text.rules import Context
from stages.text import _division
from stages.text.formats._corpus import Corpus
from stages.text.formats._findings import Findings
from stages.training import parts

SHARES = (0.2, 0.15)


@pytest.fixture
def said(monkeypatch):
    notes = []
    for module in (_division, parts):
        monkeypatch.setattr(module, "note", notes.append)
    return notes


def _corpus(*rows, contexts=()):
    corpus = Corpus(contexts=dict(contexts))
    for at, (text, intent, *split) in enumerate(rows):
        corpus.add(text, intent, f"line {at}", *split)
    return corpus


def _usable(*rows, contexts=()):
    findings = Findings()
    kept = _division.usable(_corpus(*rows, contexts=contexts), findings)
    counts = {kind: count for kind, count in findings.counts().items() if count}
    return [(one.text, one.intent) for one in kept], counts, findings


def _parts(rows, contexts=(), seed=0):
    corpus = _corpus(*rows, contexts=contexts)
    kept = _division.usable(corpus, Findings())
    found = _division.split(kept, corpus.contexts, SHARES, seed)
    return {name: [one.text for one in part] for name, part in found.items()}


def _many(intent, count):
    return [(f"{intent} number {at}", intent) for at in range(count)]


def test_equal_sentences_of_an_intent_are_kept_once():
    kept, counts, _ = _usable(("Hello", "greet"), ("hello ", "greet"), ("ＨＥＬＬＯ", "greet"))
    assert (kept, counts) == ([("Hello", "greet")], {"repeated": 2})


def test_a_sentence_under_two_intents_is_skipped_and_named():
    kept, counts, findings = _usable(("hi", "greet"), ("Hi", "book"), ("a", "book"), ("hi", "oos"))
    assert (kept, counts) == ([("a", "book")], {"ambiguous": 3})
    assert "line 0 ('hi' is greet), line 1 ('Hi' is book)" in findings.sentence("ambiguous")


def test_different_contexts_tell_equal_sentences_apart():
    contexts = {"confirm": Context(requires=["a"]), "pay": Context(requires=["b"])}
    rows = (("yes", "confirm"), ("yes", "pay"))
    assert _usable(*rows, contexts=contexts)[0] == [("yes", "confirm"), ("yes", "pay")]
    same = {"confirm": Context(requires=["a"]), "pay": Context(requires=["a"])}
    assert _usable(*rows, contexts=same)[0] == []


def test_empty_and_very_long_sentences_are_skipped():
    _, counts, _ = _usable(("\u200b", "greet"), ("x" * 1001, "greet"), ("x" * 1000, "greet"))
    assert counts == {"blank": 1, "too_long": 1}


def test_an_own_split_is_kept_and_its_test_part_stays_whole():
    rows = [
        *(("hi", "greet", "train"), ("hello", "greet", "train"), ("hi", "greet", "test")),
        *(("where", "age", "train"), ("when", "age", "train"), ("Where", "place", "test")),
        *(("how", "place", "train"), ("hello!", "greet", "test")),
    ]
    _, counts, _ = _usable(*rows)
    assert counts == {"repeated": 1, "ambiguous": 1}
    found = _parts(rows)
    assert sorted(found["test"]) == ["Where", "hello!", "hi"]
    assert sorted(found["train"] + found["val"]) == ["hello", "how", "when"]


def test_without_a_test_part_validation_is_tested(said):
    rows = [(f"{one} {at}", one, "train") for one in "ab" for at in range(8)]
    found = _parts([*rows, ("a x", "a", "val"), ("b x", "b", "val")])
    assert sorted(found["test"]) == ["a x", "b x"]
    assert len(found["val"]) == 2 and len(found["train"]) == 14


def test_the_shares_are_those_of_each_intent_and_the_seed_decides():
    rows = [*_many("a", 20), *_many("b", 40), *_many("oos", 20)]
    found = _parts(rows)
    count = {
        name: [sum(t.startswith(w) for t in part) for w in "abo"] for name, part in found.items()
    }
    assert count == {"train": [13, 26, 13], "val": [3, 6, 3], "test": [4, 8, 4]}
    assert _parts(rows) == found != _parts(rows, seed=1)


def test_sentences_that_differ_in_punctuation_stay_together():
    rows = [
        (f"{one} {at}{end}", one) for one in "ab" for at in range(10) for end in ("", "!", "?!")
    ]
    found = _parts(rows)
    for part in found.values():
        stems = [text.rstrip("?!") for text in part]
        assert all(stems.count(stem) == 3 for stem in stems)


def test_a_sentence_of_several_intents_is_only_trained_on():
    contexts = {"a": Context(requires=["x"]), "b": Context(requires=["y"])}
    rows = [*_many("a", 10), *_many("b", 10), ("yes", "a"), ("yes", "b")]
    for seed in range(5):
        found = _parts(rows, contexts.items(), seed)
        assert found["train"].count("yes") == 2


def test_few_sentences_keep_one_for_training_and_untested_intents_are_named(said):
    found = _parts([*_many("a", 1), *_many("b", 2), *_many("c", 3)])
    assert {name: len(part) for name, part in found.items()} == {"train": 3, "val": 1, "test": 2}
    assert "1 of 3 intents cannot be tested, because they have too few sentences: a;" in said[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (_many("a", 9), "at least two intents with sentences of their own, but there is 1"),
        ([*_many("a", 1), *_many("b", 1)], "no test sentences: give each intent at least three"),
        (
            [("x", "a", "train"), ("y", "b", "test"), ("z", "a", "test")],
            "no training sentences of b: add some, or remove the intent",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(rows, said):
    with pytest.raises(StageError, match=said):
        _parts(rows)
