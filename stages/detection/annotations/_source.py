"""An annotated picture as a data set describes it: the form that all four readers return."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An object: its class, and its box in pixels of the annotated picture, or in shares of it."""

    label: str
    top: float
    left: float
    bottom: float
    right: float
    is_ignored: bool = False  # `difficult` in Pascal VOC, `iscrowd` in COCO


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A picture with its boxes, none if the annotation says that it shows no object."""

    path: Path
    name: str  # relative to the user's folder
    boxes: tuple[Box, ...]
    size: tuple[int, int] | None = None  # annotated height and width; None if unknown
    in_shares: bool = False  # boxes are shares of the height and width, 0 to 1
    lost: int = 0  # boxes that could not be read
    split: str | None = None  # train, val or test, if the data set is split
