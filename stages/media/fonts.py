"""Finds an installed font for each character of a text.

DejaVu Sans comes first: it covers European alphabets, Hebrew and Arabic, and is part of matplotlib.
Pillow's own font, ASCII only, comes last.
"""

import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from PIL import ImageFont

_PREFERRED = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf")
_SUFFIXES = (".ttf", ".otf", ".ttc")
_FOLDERS = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": ("C:/Windows/Fonts",),
}
_LINUX = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_NO_CHARACTER = "\U0010ffff"  # no font has it, so it is drawn as the box for missing glyphs


def runs(text: str, size: int) -> "Iterator[tuple[ImageFont.FreeTypeFont, str]]":
    """Yield the text in parts, each with a font of `size` pixels that has its characters.

    A character that no font has is replaced by its base letter (a for ä), or drawn as a box.
    """
    text = "".join(_drawable(character) for character in unicodedata.normalize("NFC", text))
    for index, characters in groupby(_fonts_of(text), key=lambda pair: pair[0]):
        yield _font(index, size), "".join(character for _, character in characters)


def lacking(text: str) -> str:
    """Return the characters of the text that no installed font has."""
    return "".join(sorted({character for character in text if _index_of(character) is None}))


def _drawable(character: str) -> str:
    if _index_of(character) is not None:
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return character if _index_of(base) is None else base


def _fonts_of(text: str) -> "Iterator[tuple[int, str]]":
    """Yield each character with its font's index; spaces and accents get that of the previous one."""
    index = 0
    for character in text:
        if not (character.isspace() or unicodedata.combining(character)):
            index = _index_of(character) or 0
        yield index, character


@lru_cache(maxsize=4096)
def _index_of(character: str) -> "int | None":
    """Return the first font that has the character; None if no font has it."""
    if character.isspace() or unicodedata.category(character) in ("Cf", "Mn"):
        return 0
    for index in range(len(_files()) + 1):
        if _has(index, character):
            return index
    return None


def _has(index: int, character: str) -> bool:
    font = _font(index, 16)
    return _shape(font, character) != _shape(font, _NO_CHARACTER)


def _shape(font: "ImageFont.FreeTypeFont", character: str) -> "tuple[object, bytes]":
    mask = font.getmask(character)
    return mask.size, bytes(mask)


@lru_cache(maxsize=256)
def _font(index: int, size: int) -> "ImageFont.FreeTypeFont":
    """Return the font with an index; Pillow's own has the index after the last."""
    files = _files()
    if index < len(files):
        return ImageFont.truetype(str(files[index]), size)
    return ImageFont.load_default(size)


@lru_cache(maxsize=1)
def _files() -> "tuple[Path, ...]":
    """Return the usable installed fonts, preferred ones first, bold and italic ones last."""
    folders = [Path(name).expanduser() for name in _FOLDERS.get(sys.platform, _LINUX)]
    candidates = [path for folder in folders for path in sorted(folder.rglob("*"))]
    found = {path.name: path for path in [*_of_matplotlib(), *candidates] if _opens(path)}
    return tuple(found[name] for name in sorted(found, key=_rank))


def _of_matplotlib() -> "list[Path]":
    """Return matplotlib's DejaVu Sans, if installed, without importing matplotlib."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"]


def _rank(name: str) -> "tuple[int, bool, str]":
    preference = _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)
    is_styled = any(word in name.lower() for word in ("bold", "italic", "oblique", "mono", "serif"))
    return preference, is_styled, name


def _opens(path: Path) -> bool:
    if path.suffix.lower() not in _SUFFIXES or path.name.startswith("LastResort"):
        return False  # LastResort has a placeholder for every character
    try:
        ImageFont.truetype(str(path), 16)
    except OSError:
        return False
    return True
