r"""Bounds the steps of Python's matcher for a pattern, at one place of any text.

A repeat of characters with which nothing that follows can begin, as in \d+-, has one end: giving characters
back cannot help. All other ends multiply.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from re import _compiler, _constants, _parser  # type: ignore[attr-defined] # undocumented
from typing import Any, NamedTuple

_CHARACTERS = {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT"}
_SCOPED = re.compile(r"\(\?[a-zA-Z-]+:")  # flags for a part of a pattern
_SCANNED = 8  # repeated single characters that take as long as a step
_WIDE = 1000  # characters of a range above which it may be anything
_END: frozenset[str] = frozenset()  # nothing follows: the match succeeds, and nothing else is tried
Characters = frozenset[str] | None  # in either letter case; None: any


class Unsupported(Exception):
    """A kind of expression whose steps have no bound."""


class _Cost(NamedTuple):
    """ways: those to match that can all be tried if what follows fails; steps: to try them."""

    ways: int
    steps: int


def steps(pattern: str, longest: int, most: int) -> int:
    """Return a bound of the steps at a place, on average over a text, and most + 1 for any larger one.

    A match begins at the edge of a word, so one that begins with "from" is tried at every fourth place.

    longest: characters that a match can have. Unsupported: it has a lookaround or the like; re.error: it
    is no regular expression
    """
    parsed = _parser.parse(pattern, re.IGNORECASE)
    apart = max(1, _word(parsed))
    cut = most * apart + 1
    count = _Count(parsed.state, longest, cut, knows_case=not _SCOPED.search(pattern))
    found = count.sequence(parsed, _END).steps
    return most + 1 if found >= cut else found // apart


class _Count:
    """The costs of the parts of a pattern; `follow` are the characters with which the rest can begin."""

    def __init__(self, state: Any, longest: int, cut: int, knows_case: bool) -> None:
        self._state, self._longest, self._cut, self._knows_case = state, longest, cut, knows_case

    def sequence(self, parts: Any, follow: Characters) -> _Cost:
        """Return the cost of parts after each other."""
        nodes, ways, total = list(parts), 1, 0
        for at, (kind, value) in enumerate(nodes):
            one = self._part(str(kind), value, self._begins(nodes[at + 1 :], follow))
            total = min(self._cut, total + ways * one.steps)
            ways = min(self._cut, ways * one.ways)
        return _Cost(ways, max(1, total))

    def _part(self, kind: str, value: Any, follow: Characters) -> _Cost:
        if kind in _CHARACTERS or kind == "AT":
            return _Cost(1, 1)
        if kind == "SUBPATTERN":
            return self.sequence(value[-1], follow)
        if kind == "BRANCH":
            several = [self.sequence(one, follow) for one in value[1]]
            return _Cost(sum(one.ways for one in several), sum(one.steps for one in several))
        if kind in _REPEATS:
            return self._repeat(*value, follow)
        raise Unsupported(kind.replace("_", " ").lower())

    def _repeat(self, least: Any, most: Any, inner: Any, follow: Characters) -> _Cost:
        width = max(1, inner.getwidth()[0])
        times = min(int(most), self._longest // width) if most is not _constants.MAXREPEAT else 0
        times = times or self._longest // width
        first = min(int(least), times)
        starts = self._begins(list(inner), None)
        again = None if starts is None or follow is None else starts | follow
        ways, steps_each = self.sequence(inner, again)
        if ways > 1:
            return self._powers(ways, steps_each, first, times)
        is_certain = self._excludes(inner, starts, follow)  # where it ends
        is_single = len(inner) == 1 and str(inner[0][0]) in _CHARACTERS
        tried = times // _SCANNED if is_single else times * steps_each
        return _Cost(
            1 if is_certain else times - first + 1, 1 + tried + (times if is_certain else 0)
        )

    def _powers(self, ways: int, each: int, first: int, times: int) -> _Cost:
        if times > self._cut.bit_length():
            return _Cost(self._cut, self._cut)
        total = sum(ways**count for count in range(first, times + 1))
        tried = each * sum(ways**count for count in range(times))
        return _Cost(min(self._cut, total), min(self._cut, tried))

    def _excludes(self, inner: Any, starts: Characters, follow: Characters) -> bool:
        """Return whether nothing that follows can begin as another repetition does."""
        if follow is None or not self._knows_case:
            return False
        if starts is not None:
            return starts.isdisjoint(follow)
        if len(inner) != 1 or str(inner[0][0]) not in _CHARACTERS:
            return not follow
        one = _compiler.compile(_parser.SubPattern(self._state, [inner[0]]), re.IGNORECASE)
        return one.search("".join(follow)) is None

    def _begins(self, nodes: Sequence[Any], follow: Characters) -> Characters:
        """Return the characters with which these parts, and then what follows, can begin."""
        found: set[str] = set()
        for kind, value in nodes:
            if str(kind) == "AT":
                continue
            characters = self._characters(str(kind), value)
            if characters is None:
                return None
            found |= characters
            if _parser.SubPattern(self._state, [(kind, value)]).getwidth()[0] > 0:
                return frozenset(found)
        return None if follow is None else follow | found

    def _characters(self, kind: str, value: Any) -> Characters:
        """Return the characters with which a part can begin."""
        if kind == "LITERAL":
            return _cased(chr(value))
        if kind == "IN":
            return _joined([_members(str(name), what) for name, what in value])
        if kind == "BRANCH":
            return _joined([self._begins(list(one), None) for one in value[1]])
        if kind == "SUBPATTERN":
            return self._begins(list(value[-1]), None)
        return self._begins(list(value[2]), None) if kind in _REPEATS else None


def _word(parsed: Any) -> int:
    """Return the number of ASCII letters and digits with which each match begins."""
    length = 0
    for kind, value in parsed:
        if str(kind) != "LITERAL" or not (chr(value).isascii() and chr(value).isalnum()):
            break
        length += 1
    return length


def _members(kind: str, value: Any) -> Characters:
    """Return the characters of an entry in brackets."""
    if kind == "LITERAL":
        return _cased(chr(value))
    if kind == "RANGE" and value[1] - value[0] < _WIDE:
        return _cased("".join(map(chr, range(value[0], value[1] + 1))))
    if kind == "CATEGORY" and str(value) in ("CATEGORY_DIGIT", "CATEGORY_SPACE"):
        return _category(str(value))
    return None


def _cased(characters: str) -> frozenset[str]:
    return frozenset(characters + characters.lower() + characters.upper())


@lru_cache
def _category(name: str) -> frozenset[str]:
    pattern = r"\d" if name == "CATEGORY_DIGIT" else r"\s"
    return frozenset(re.findall(pattern, "".join(map(chr, range(0x110000)))))


def _joined(several: Sequence[Characters]) -> Characters:
    known = [one for one in several if one is not None]
    return frozenset().union(*known) if len(known) == len(several) else None
