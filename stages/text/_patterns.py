"""Checks the user's regular expressions, so that no sentence can keep a chatbot busy for long.

Python's matcher tries the ways in which a pattern can match one after another. Its steps are bounded here
from the patterns alone, for matches of at most 64 characters. The subset leaves out lookaround and back
references, whose cost has no such bound, and what Python 3.9 on the device does not know.
"""

import re
from collections.abc import Mapping, Sequence

from engine.stage import StageError
from stages.tasks.text.entities import LONGEST_MATCH
from stages.text._steps import Unsupported, steps

MOST_STEPS = (
    6_000  # at one place of a sentence, by all patterns: 0.1 s for one of 1,000 characters on a PC
)
MOST_LENGTH = 500  # characters of a pattern
_CALL = 20  # steps that take as long as the call of a pattern


def check(patterns: Mapping[str, Sequence[str]]) -> None:
    """Raise StageError if a pattern of an entity is invalid, or outside the subset, or all are too costly."""
    costs = {
        (entity, pattern): _CALL + _cost(pattern, entity)
        for entity, several in patterns.items()
        for pattern in several
    }
    if sum(costs.values()) > MOST_STEPS:
        entity, pattern = max(costs, key=lambda one: costs[one])
        raise StageError(
            f"the {len(costs)} patterns of the entities could together take long on some sentences; the "
            f"costliest is that of '{entity}', {pattern[:80]!r}: write {{1,5}} instead of + and *, or use "
            "lists of values"
        )


def _cost(pattern: str, entity: str) -> int:
    where = f"the pattern of the entity '{entity}', {pattern[:80]!r}"
    if len(pattern) > MOST_LENGTH:
        raise StageError(f"{where}, is longer than {MOST_LENGTH} characters: use a list of values")
    try:
        re.compile(pattern, re.IGNORECASE)
        found = steps(pattern, LONGEST_MATCH, MOST_STEPS)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise StageError(f"{where}, is not a regular expression: {error}") from None
    except Unsupported as error:
        raise StageError(
            f"{where}, uses {error}: write it without lookaround, references, atomic groups and "
            "possessive repeats"
        ) from None
    if found > MOST_STEPS:
        raise StageError(
            f"{where}, could take long on some sentences: write no repeat inside a repeat, such as (a+)+, "
            "and no two of * and + after each other that match the same characters, such as .*.*; {1,5} "
            "costs less than +"
        )
    return found
