"""Reads the pictures of a data set once, at the network's input size, with their usable boxes."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, progress
from stages.detection.annotations import _boxes
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._source import Box, Source
from stages.media.duplicates import thumbnail
from stages.media.header import read_header
from stages.media.pictures import Picture, read_many
from stages.media.scaling import resized
from stages.media.unreadable import Unreadable

_REASONS = (
    *("unreadable", "mismatched", "broken_boxes", "unknown_classes"),
    *("outside_boxes", "empty_boxes"),
)


@dataclass(slots=True, kw_only=True)
class Example:
    """A picture that has been read."""

    source: Source
    size: tuple[int, int]  # height and width of the upright picture, in pixels
    boxes: list[Box]  # in shares of the upright picture
    row: int  # in Pictures.pixels
    digest: str  # of its pixels at the network's input size
    thumbnail: NDArray[np.float32]


class Pictures:
    """The readable pictures (pictures, side, side, 3) uint8, in a memory-mapped file."""

    def __init__(self, sources: Sequence[Source], side: int, findings: Findings) -> None:
        """Decode all pictures; StageError: none is usable."""
        self.examples: list[Example] = []
        with tempfile.NamedTemporaryFile(dir=".") as file:
            self.pixels = np.memmap(file, np.uint8, "w+", shape=(len(sources), side, side, 3))
        # at full size, as the task reads them: a JPEG that is decoded smaller has other pixels
        found = read_many(source.path for source in sources)
        for at, (source, (_, picture)) in enumerate(zip(sources, found, strict=True)):
            progress(at + 1, len(sources), source.name)
            if isinstance(picture, Unreadable):
                findings.add("unreadable", source.name, picture)
            else:
                self._add(source, picture, side, findings)
        if not self.examples:
            raise StageError(f"no annotated picture can be used: {findings.sentence(*_REASONS)}")

    def _add(self, source: Source, picture: Picture, side: int, findings: Findings) -> None:
        header = read_header(source.path)
        height, width = picture.pixels.shape[:2]
        boxes = _boxes.normalised(source, header, (height, width), findings)
        if boxes is None:
            return
        row = len(self.examples)
        self.pixels[row] = resized(np.ascontiguousarray(picture.pixels), side, side)
        self.examples.append(
            Example(
                source=source,
                size=(height, width),
                boxes=boxes,
                row=row,
                digest=hashlib.sha256(self.pixels[row].tobytes()).hexdigest()[:16],
                thumbnail=thumbnail(self.pixels[row]),
            )
        )
