"""Recognises a source by the word that a user writes."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING, Iterator

from engine.stage import StageError
from stages.serving import sources
from stages.serving.paths import obstacle
from stages.serving.reading.address import masked
from stages.serving.reading.options import ReadingOptions

if TYPE_CHECKING:
    from stages.serving.interfaces import Source

_PATHS = ("file", "folder")  # last: source=0 is a camera, even beside a file called 0


def open_source(text: str, options: ReadingOptions = ReadingOptions()) -> Source:  # noqa: B008
    """Return the source that the text describes, not yet opened.

    StageError: it is of no kind, or wrong for its kind.
    """
    for kind in _kinds():
        if kind.recognises(text):
            source: Source = kind.make(text, options)
            return source
    if reason := obstacle(text):
        raise StageError(f"the source {masked(text)!r} cannot be read: {reason}")
    raise StageError(
        f"there is no source {masked(text)!r}: give the number of a camera, /dev/videoN, libcamera, "
        "an address (rtsp://, http://), a file, a folder, or - for standard input"
    )


def type_of(text: str) -> str:
    """Return the kind of a source: the name of its file. StageError: it is of no kind."""
    return open_source(text).type


def _kinds() -> Iterator[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(sources.__path__)]
    for name in sorted(names, key=lambda name: (name in _PATHS, name)):
        yield importlib.import_module(f"{sources.__name__}.{name}")
