"""Conversations: contexts, remembered entities, and the choice of intent and response."""

import numpy as np
import pytest

from stages.tasks.text import dialogue
from stages.tasks.text.dialogue import LIFESPAN, State
from stages.tasks.text.entities import Entity
from stages.tasks.text.rules import Context

LABELS = ["book", "cancel_no", "confirm", "greet"]
CONTEXTS = {
    "book": Context(sets=["booking"]),
    "confirm": Context(requires=["booking"]),
    "cancel_no": Context(requires=["cancelling"]),
}


def _chosen(values, *active):
    return dialogue.chosen(np.array(values), LABELS, CONTEXTS, dict.fromkeys(active, 1))


def test_the_most_probable_intent_is_chosen():
    assert _chosen([0.6, 0.1, 0.1, 0.2]) == "book"


def test_an_intent_whose_context_is_not_active_is_not_chosen():
    assert _chosen([0.1, 0.0, 0.8, 0.1]) is None
    assert _chosen([0.1, 0.0, 0.8, 0.1], "booking") == "confirm"


def test_the_context_decides_between_intents_with_equal_sentences():
    assert _chosen([0.0, 0.5, 0.5, 0.0], "booking") == "confirm"
    assert _chosen([0.0, 0.5, 0.5, 0.0], "cancelling") == "cancel_no"
    assert _chosen([0.0, 0.6, 0.4, 0.0], "booking") == "confirm"
    assert _chosen([0.0, 0.9, 0.1, 0.0], "booking") is None


def test_a_context_ends_when_it_is_used():
    state = State()
    dialogue.advance(state, CONTEXTS["book"])
    assert list(state.contexts) == ["booking"]
    dialogue.advance(state, CONTEXTS["confirm"])
    assert state.contexts == {}


def test_a_context_ends_after_some_other_answers():
    state = State()
    dialogue.advance(state, CONTEXTS["book"])
    for _ in range(LIFESPAN - 1):
        dialogue.advance(state, None)
    assert list(state.contexts) == ["booking"]
    dialogue.advance(state, None)
    assert state.contexts == {}


def _said(responses, found=(), **remembered):
    return dialogue.response(responses, "text", found, State(remembered=remembered))


def test_variables_are_entities_of_the_sentence_or_remembered_ones():
    found = [Entity("day", "today", 0, 1), Entity("day", "tomorrow", 2, 3)]
    assert _said(["{day} {city}"], found, day="Friday", city="Rome") == "today Rome"


def test_the_response_with_the_most_known_variables_is_preferred():
    several = ["when?", "{day}?", "{day} at {time}?"]
    assert _said(several) == "when?"
    assert _said(several, day="today") == "today?"
    assert _said(several, day="today", time="noon") == "today at noon?"


def test_an_unknown_variable_stays_as_its_name():
    assert _said(["for {day}, {not a variable}"]) == "for [day], {not a variable}"


def test_responses_take_turns_and_are_the_same_everywhere():
    state = State()
    said = []
    for _ in range(4):
        said.append(dialogue.response(["a", "b", "c"], "γεια", [], state))
        dialogue.advance(state, None)
    assert said == ["c", "a", "b", "c"]


def test_an_intent_without_responses_says_nothing():
    assert _said([]) == ""


@pytest.mark.parametrize("value", ["{day}", "\\1", "{city}"])
def test_a_value_is_not_read_as_a_variable(value):
    assert _said(["{city}"], city=value, day="x") == value
