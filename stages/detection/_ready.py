"""Pictures for a detector that is not trained here: they test it, and need no annotations."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.detection.annotations._findings import Findings
from stages.detection.annotations._read import Example


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """The classes of a pretrained detector, and the constants of its input."""

    labels: list[str]
    constants: Mapping[str, Any]  # size, and perhaps picture: mean and deviation of a pixel


def read(decision: Path) -> Ready:
    """Return what stages.detection.coco decided."""
    about = json.loads(decision.read_text(encoding="utf-8"))
    constants = {name: about[name] for name in ("size", "picture") if name in about}
    return Ready(list(about["thresholds"]), constants)


def keep_classes(examples: list[Example], labels: list[str], findings: Findings) -> None:
    """Drop the boxes of classes that the detector does not have; spelling in another case is the same."""
    known = {label.casefold(): label for label in labels}
    for example in examples:
        kept = []
        for box in example.boxes:
            if label := known.get(box.label.casefold()):
                kept.append(dataclasses.replace(box, label=label))
            else:
                findings.add("unknown_classes", example.source.name, f"{box.label} is not packaged")
        example.boxes = kept
