"""Collects the boxes of each picture, which may be in several rows or files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages.detection.annotations._files import Files
from stages.detection.annotations._source import Box, Source

_PARTS = (
    "train",
    "val",
    "test",
)  # a picture in two parts stays in the later one, which is held out


@dataclass(slots=True)
class _Picture:
    boxes: list[Box] = field(default_factory=list)
    size: tuple[int, int] | None = None
    split: str | None = None
    lost: int = 0


class Joined:
    """The annotated pictures of a data set, each once."""

    def __init__(self, files: Files, *, in_shares: bool = False) -> None:
        self._files, self._in_shares = files, in_shares
        self._pictures: dict[Path, _Picture] = {}

    def add(
        self,
        path: Path,
        boxes: Sequence[Box] = (),
        *,
        size: tuple[int, int] | None = None,
        split: str | None = None,
        lost: int = 0,
    ) -> None:
        """Add a picture, or more boxes of one; boxes that it already has are not added again."""
        self._files.used.add(path)
        picture = self._pictures.setdefault(path, _Picture())
        known = set(picture.boxes)
        picture.boxes += [box for box in boxes if box not in known]
        picture.size = picture.size or size
        picture.split = max(picture.split, split, key=_rank)
        picture.lost += lost

    def sources(self) -> list[Source]:
        """Return the pictures in the order of the files."""
        return [
            Source(
                path=path,
                name=self._files.name(path),
                boxes=tuple(found.boxes),
                size=found.size,
                in_shares=self._in_shares,
                lost=found.lost,
                split=found.split,
            )
            for path in self._files.pictures
            if (found := self._pictures.get(path))
        ]


def _rank(split: str | None) -> int:
    return _PARTS.index(split) if split else -1
