"""Finds the entities of a sentence: values of lookup lists, the user's patterns, dates, numbers and the like.

If several overlap, the longest is used; of equal ones, a list wins over a pattern, and a pattern over the
built-in ones. Places refer to the sentence as it was written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Dict, List, Set, Tuple

from stages.tasks.text.aligned import Aligned, align, is_edge
from stages.tasks.text.patterns import BUILT_IN

MOST_CHARACTERS = 1000  # of a sentence; the rest is not searched
LONGEST_MATCH = 64  # characters that a user's pattern may match


@dataclass(frozen=True)
class Entity:
    """A value in a sentence; start and end are places in the original text."""

    entity: str
    value: str  # of a list: its main form
    start: int
    end: int
    rank: int = 0  # 0: a list, 1: the user's pattern, 2: built in

    def as_json(self, text: str) -> Dict[str, Any]:
        return {
            "entity": self.entity,
            "value": self.value,
            "text": text[self.start : self.end],
            "start": self.start,
            "end": self.end,
        }


class Finder:
    """The lists and patterns of a chatbot.

    lookups:  entity -> value -> its other forms; patterns: entity -> regular expressions whose cost
              was checked when they were packaged (stages.text)
    """

    def __init__(
        self,
        lookups: Mapping[str, Mapping[str, Sequence[str]]],
        patterns: Mapping[str, Sequence[str]],
    ) -> None:
        self._values: Dict[str, List[Tuple[str, str]]] = defaultdict(list)
        for entity, values in lookups.items():
            for value, forms in values.items():
                for form in dict.fromkeys(align(one).text for one in (value, *forms)):
                    self._values[form].append((entity, value))
        self._lengths = sorted({len(form) for form in self._values} - {0})
        self._patterns = [
            (entity, re.compile(pattern, re.IGNORECASE))
            for entity, several in patterns.items()
            for pattern in several
        ]

    def find(self, text: str) -> List[Entity]:
        """Return the entities of a sentence in order; they do not overlap."""
        text = text[:MOST_CHARACTERS]
        found = [*self._in_lists(align(text)), *self._in_patterns(text), *_built_in(text)]
        found.sort(key=lambda one: (one.start - one.end, one.rank, one.start, one.entity))
        taken: Set[int] = set()
        kept = []
        for one in found:
            places = range(one.start, one.end)
            if taken.isdisjoint(places):
                taken.update(places)
                kept.append(one)
        return sorted(kept, key=lambda one: one.start)

    def _in_lists(self, folded: Aligned) -> Iterator[Entity]:
        edges = [at for at in range(len(folded.text) + 1) if is_edge(folded.text, at)]
        ends = set(edges)
        for start in edges:
            for length in self._lengths:
                end = start + length
                if end in ends and (values := self._values.get(folded.text[start:end])):
                    span = folded.starts[start], folded.ends[end - 1]
                    yield from (Entity(entity, value, *span) for entity, value in values)

    def _in_patterns(self, text: str) -> Iterator[Entity]:
        starts = [at for at in range(len(text)) if is_edge(text, at)]
        for entity, pattern in self._patterns:
            for start in starts:
                match = pattern.match(text, start, start + LONGEST_MATCH)
                if match and match.group() and is_edge(text, match.end()):
                    yield Entity(entity, match.group(), start, match.end(), 1)


def _built_in(text: str) -> Iterator[Entity]:
    for entity, pattern in BUILT_IN.items():
        for match in pattern.finditer(text):
            yield Entity(entity, match.group(), match.start(), match.end(), 2)
