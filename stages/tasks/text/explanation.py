"""Explains an answer to a person: named sections of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List

from stages.tasks.text.dialogue import State

Sections = Dict[str, List[str]]
NONE = ["none"]


def remembered(state: State) -> Sections:
    """Return what a conversation remembers."""
    return {
        "contexts": sorted(state.contexts) or NONE,
        "entities": [f"{name} = {value}" for name, value in sorted(state.remembered.items())]
        or NONE,
    }


def why(
    answer: Mapping[str, Any],
    threshold: float,
    scores: Mapping[str, float],
    similar: Sequence[Mapping[str, Any]],
) -> Sections:
    """Return the reasons for an answer.

    scores: the probabilities of the best intents; similar: training sentences (stages.tasks.text.nearest)
    """
    found = [f"{one['entity']} = {one['value']} ('{one['text']}')" for one in answer["entities"]]
    sections = {
        "intent": [_intent(answer)],
        "entities": found or NONE,
        "contexts": answer["contexts"] or NONE,
        "confidence": [f"{answer['score']:.1%}, answered from {threshold:.1%}"],
        "scores": [f"{share:6.1%}  {name}" for name, share in scores.items()],
    }
    lines = [
        f"{one['similarity']:6.1%}  {one['text']}  ({one['intent'] or 'out of scope'})"
        for one in similar
    ]
    return {**sections, "similar": lines} if lines else sections


def _intent(answer: Mapping[str, Any]) -> str:
    """Return the intent, or why there is none."""
    if answer["requires"]:
        wanted = " or ".join(answer["requires"])
        return f"not understood: the best one requires the context {wanted}"
    return str(answer["intent"] or "not understood")
