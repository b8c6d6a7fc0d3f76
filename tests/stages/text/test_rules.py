"""What is packaged beside the model."""

import pytest

from engine.stage import StageError
from stages.tasks.text.rules import Context
from stages.text import _rules
from stages.text.formats._corpus import Corpus
from stages.text.formats._findings import Findings

LABELS = ["book", "greet"]


@pytest.fixture
def made():
    """Return the rules of a corpus, and the kinds of findings."""

    def rules(**parts):
        findings = Findings()
        found = _rules.rules(Corpus(**parts), LABELS, "Sorry?", findings)
        return found, {kind: count for kind, count in findings.counts().items() if count}

    return rules


def test_responses_of_intents_are_kept_and_others_named(made):
    found, wrong = made(responses={"greet": ["Hi"], "book": [], "ghost": ["Boo"]})
    assert found.responses == {"greet": ["Hi"]}
    assert wrong == {"unanswered": 1, "unused_responses": 1}


@pytest.mark.parametrize("name", ["oos", "out_of_scope", "noanswer", "fallback"])
def test_an_intent_for_everything_else_has_the_answers_to_it(made, name):
    found, wrong = made(responses={name: ["What?"], "greet": ["a"], "book": ["b"]})
    assert (found.not_understood, wrong) == (["What?"], {})
    assert made()[0].not_understood == ["Sorry?"]


def test_a_variable_that_no_entity_fills_is_named(made):
    responses = {"greet": ["{day} {name} {date}"], "book": ["ok"]}
    found, wrong = made(responses=responses, lookups={"day": {"today": []}})
    assert wrong == {"unknown_variables": 1} and found.lookups == {"day": {"today": []}}


def test_equal_values_are_one_and_synonyms_join_their_list(made):
    lookups = {"comic": {"Venom": [], "venom": ["the v"], "Batman": []}}
    synonyms = {"Dark Knight": ["batman", "bats"], "credit": ["card"]}
    found, wrong = made(lookups=lookups, synonyms=synonyms)
    assert found.lookups["comic"] == {
        "Venom": ["the v"],
        "Dark Knight": ["batman", "bats", "Batman"],
    }
    assert wrong == {"unused_synonyms": 1}


def test_a_context_that_nothing_sets_is_named(made):
    contexts = {"book": Context(requires=["x"]), "greet": Context(requires=["y"], sets=["y"])}
    assert made(contexts=contexts)[1] == {"unreachable": 1}


def test_a_costly_pattern_is_refused(made):
    with pytest.raises(StageError, match="entity 'code'"):
        made(patterns={"code": ["(a+)+"]})
