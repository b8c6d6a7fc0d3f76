"""A conversation: the active contexts, the remembered entities, and the choice of intent and response.

Nothing is random: the same conversation gets the same answers on every machine.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.text.entities import Entity
    from stages.tasks.text.rules import Context

LIFESPAN = 5  # answers for which a context stays active
SHARE = 0.5  # of the best intent's probability, that an intent with an active context needs instead
VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass
class State:
    """What a conversation remembers."""

    contexts: Dict[str, int] = field(default_factory=dict)  # active ones -> remaining answers
    remembered: Dict[str, str] = field(default_factory=dict)  # entity -> its last value
    count: int = 0  # of answers


def chosen(
    probabilities: NDArray[Any],
    labels: Sequence[str],
    contexts: Mapping[str, Context],
    active: Mapping[str, int],
) -> Optional[str]:
    """Return the most probable intent, or None if its context is not active; probabilities (labels,).

    "Yes" may belong to several intents that require different contexts, and is then equally probable
    for each: an intent with an active context replaces the best one if it is at least half as probable.
    """
    order = [int(at) for at in (-probabilities).argsort(kind="stable")]
    best = float(probabilities[order[0]])
    for at in order:
        if is_open(labels[at], contexts, active):
            return labels[at] if float(probabilities[at]) >= SHARE * best else None
    return None


def is_open(intent: str, contexts: Mapping[str, Context], active: Mapping[str, int]) -> bool:
    """Return whether the intent requires no context, or one that is active."""
    requires = contexts[intent].requires if intent in contexts else ()
    return not requires or any(one in active for one in requires)


def remember(state: State, found: Sequence[Entity]) -> None:
    """Keep the values of a sentence; of several values of an entity, the last one."""
    state.remembered.update({one.entity: one.value for one in found})


def advance(state: State, context: Optional[Context]) -> None:
    """Count an answer: contexts end after LIFESPAN answers, or with the answer that required them.

    context: of the intent that was answered; None: it has none, or nothing was understood
    """
    state.count += 1
    used = set(context.requires) if context else set()
    state.contexts = {
        name: left - 1 for name, left in state.contexts.items() if left > 1 and name not in used
    }
    if context and context.sets:
        state.contexts = dict.fromkeys(context.sets, LIFESPAN)


def response(responses: Sequence[str], sentence: str, found: Sequence[Entity], state: State) -> str:
    """Return one of an intent's responses, with its variables filled in.

    Of those whose variables are all known, the ones with the most are preferred. A variable is an entity of
    this sentence or, if it has none, a remembered one; an unknown one stays as the entity's name.
    """
    if not responses:
        return ""
    values = {**state.remembered, **_first(found)}
    ranks = [_rank(one, values) for one in responses]
    best = [one for one, rank in zip(responses, ranks) if rank == min(ranks)]
    at = (zlib.crc32(sentence.encode("utf-8", "replace")) + state.count) % len(best)
    return VARIABLE.sub(lambda match: values.get(match[1], f"[{match[1]}]"), best[at])


def _rank(text: str, values: Mapping[str, str]) -> Tuple[int, int]:
    """Return how many of a response's variables are unknown, and less than zero for those known."""
    names = set(VARIABLE.findall(text))
    return len(names - values.keys()), -len(names & values.keys())


def _first(found: Sequence[Entity]) -> Dict[str, str]:
    """Return the first value of each entity."""
    values: Dict[str, str] = {}
    for one in found:
        values.setdefault(one.entity, one.value)
    return values
