"""Which artifacts were computed from others, according to the store's records. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from engine.store import Record


@dataclass(frozen=True, slots=True)
class Derived:
    """Artifacts with everything that was computed from them, by digest, and the jobs that did so."""

    digests: frozenset[str]
    records: tuple[Record, ...]  # a job comes after those whose outputs it reads


def derived(
    records: Iterable[Record], roots: Collection[str], kept: Collection[str] = ()
) -> Derived:
    """Return the roots, and what was computed from them, directly or not, except through the kept ones.

    An artifact that a job also made without them has nothing of them: the same model, copied out of two
    packages.
    """
    left, digests, found = list(records), set(roots), list[Record]()
    while new := [one for one in left if not digests.isdisjoint(_inputs(one))]:
        found += new
        left = [one for one in left if one not in new]
        digests |= _made(new) - _made(left) - {*kept}
    makers = [one for one in left if not digests.isdisjoint(one.outputs.values())]
    return Derived(frozenset(digests), tuple(_in_order([*makers, *found])))


def _made(records: Iterable[Record]) -> set[str]:
    return {digest for one in records for digest in one.outputs.values()}


def _inputs(record: Record) -> set[str]:
    return {str(one) for one in (record.parts.get("input") or {}).values() if one}


def _in_order(records: Iterable[Record]) -> list[Record]:
    """Return the records, each after those whose outputs it reads."""
    left, ordered = list(records), list[Record]()
    while left:
        made = _made(left)
        first = [one for one in left if made.isdisjoint(_inputs(one) - _made([one]))] or left[:1]
        ordered += first
        left = [one for one in left if one not in first]
    return ordered
