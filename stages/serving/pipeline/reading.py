"""Opens the reader of a source for its camera process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from stages.serving.reading.opening import open_source, type_of
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.reader import Reader

if TYPE_CHECKING:
    from stages.serving.pipeline.camera import Reads


def open_reader(name: str, text: str, options: Mapping[str, Any]) -> Reads:
    """Return the reader of a source, which opens it at the first read."""
    how = ReadingOptions(**options)
    return Reader(name, open_source(text, how), how)


__all__ = ["open_reader", "type_of"]
