"""Finds pictures that are there under two names, and joins their boxes."""

from collections import defaultdict

from stages.detection.annotations._boxes import iou
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._read import Example

_SAME = 0.5  # minimum IoU of two boxes of the same object
_HELD_FIRST = {"test": 0, "val": 1, "train": 2, None: 3}


def merged(examples: list[Example], findings: Findings) -> list[Example]:
    """Return each picture once, with the boxes of all its copies that its own do not cover.

    A picture that is in two parts of the data set's split stays in the held-out one, as annotated there.
    """
    copies: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        copies[example.digest].append(example)
    dropped = set()
    for same in copies.values():
        first, *others = sorted(same, key=lambda one: _HELD_FIRST[one.source.split])
        for other in others:
            gained = _join(first, other)
            more = f", which gains {gained} box{'es' * (gained != 1)}" if gained else ""
            reason = f"the same as {first.source.name}{more}"
            findings.add("repeated_pictures", other.source.name, reason)
            dropped.add(other.row)
    return [example for example in examples if example.row not in dropped]


def _join(kept: Example, other: Example) -> int:
    """Add the other's boxes that overlap none of the kept ones; return their number."""
    if kept.source.split != other.source.split:
        return 0
    new = [box for box in other.boxes if all(iou(box, existing) < _SAME for existing in kept.boxes)]
    kept.boxes += new
    return len(new)
