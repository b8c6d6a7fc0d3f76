"""Makes one sorted table of classes; spellings that differ only in letter case are one class."""

import dataclasses
from collections import Counter, defaultdict

from stages.detection.annotations._findings import Findings
from stages.detection.annotations._read import Example


def unify(examples: list[Example], findings: Findings) -> list[str]:
    """Rename each class to its most frequent spelling, and return the sorted classes.

    A class whose boxes are all ignored cannot be learnt: its boxes are dropped.
    """
    spellings = _spellings(examples)
    for old, new in sorted(spellings.items()):
        if old != new:
            findings.add("respelt_labels", old, f"now {new}")
    for example in examples:
        example.boxes = [
            dataclasses.replace(box, label=spellings[box.label]) for box in example.boxes
        ]
    labels = sorted({box.label for one in examples for box in one.boxes if not box.is_ignored})
    for example in examples:
        known = [box for box in example.boxes if box.label in labels]
        for box in example.boxes:
            if box.label not in labels:
                name = example.source.name
                findings.add("unknown_classes", name, f"all boxes of {box.label} are ignored")
        example.boxes = known
    return labels


def rarest(examples: list[Example]) -> list[str]:
    """Return for each picture its class that the fewest pictures have; empty without an object."""
    own = [sorted({box.label for box in one.boxes if not box.is_ignored}) for one in examples]
    counts = Counter(label for labels in own for label in labels)
    return [min(labels, key=lambda label: counts[label], default="") for labels in own]


def _spellings(examples: list[Example]) -> dict[str, str]:
    """Return the new name of each class."""
    counts = Counter(box.label for one in examples for box in one.boxes)
    same: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        same[label.casefold()].append(label)
    return {
        label: max(spelt, key=lambda one: counts[one]) for spelt in same.values() for label in spelt
    }
