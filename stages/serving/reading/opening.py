"""Recognises a source by the word that a user writes."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING, Iterator

from stages.serving import sources
from stages.serving.mistakes import cut, refused
from stages.serving.paths import obstacle
from stages.serving.reading.address import masked
from stages.serving.reading.options import ReadingOptions

if TYPE_CHECKING:
    from stages.serving.interfaces import Source

FIX = (
    "give the number of a camera, /dev/videoN, libcamera, an address (rtsp://, http://), a file, a folder, "
    "or - for standard input"
)
MOST_SHOWN = 80  # characters of a text that may be anything
_PATHS = ("file", "folder")  # last: source=0 is a camera, even beside a file called 0


def open_source(text: str, options: ReadingOptions = ReadingOptions()) -> Source:  # noqa: B008
    """Return the source that the text describes, not yet opened.

    StageError: it is wrong for its kind. Mistakes: it is of no kind.
    """
    for kind in _kinds():
        if kind.recognises(text):
            source: Source = kind.make(text, options)
            return source
    where = f"source={cut(masked(text), MOST_SHOWN)}"
    if reason := obstacle(text):
        raise refused(where, f"it cannot be read: {reason}", "give a file that this user can read")
    raise refused(where, "there is no such source", FIX)


def type_of(text: str) -> str:
    """Return the kind of a source: the name of its file. Mistakes: it is of no kind."""
    return open_source(text).type


def _kinds() -> Iterator[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(sources.__path__)]
    for name in sorted(names, key=lambda name: (name in _PATHS, name)):
        yield importlib.import_module(f"{sources.__name__}.{name}")
