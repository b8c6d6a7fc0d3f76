"""Brings text into one form and cuts it into words; used by training and by the device."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_APOSTROPHES = {"\u2018": "'", "\u2019": "'", "\u02bc": "'"}  # phones type ’ where keyboards type '
# Without spaces between words, each character is a word: Chinese, Japanese.
_IDEOGRAPHS = (
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def normalised(text: str) -> str:
    """Return the text in NFKC and without case, with single spaces, and without invisible characters.

    Two sentences with equal results are the same sentence. Accents, ideographs and emoji are kept;
    variation selectors and joiners, which differ between keyboards, are not.
    """
    # Case folding can undo NFKC, and NFKC can create upper case: Unicode's toNFKC_Casefold.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(map(_visible, folded)).split())


def words(text: str) -> list[str]:
    """Return the words of a normalised text; each ideograph, emoji or punctuation mark is a word."""
    found, start = [], 0
    for at, char in enumerate(text):
        if _is_in_word(char):
            continue
        if start < at:
            found.append(text[start:at])
        if char != " ":
            found.append(char)
        start = at + 1
    if start < len(text):
        found.append(text[start:])
    return found


@lru_cache(maxsize=4096)
def _visible(char: str) -> str:
    """Return what a character becomes: itself, a space, or nothing."""
    if char.isspace():
        return " "
    # Unassigned characters are kept: they are the emoji that an older Python does not know yet.
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") or "\ufe00" <= char <= "\ufe0f":
        return ""
    return _APOSTROPHES.get(char, char)


@lru_cache(maxsize=4096)
def _is_in_word(char: str) -> bool:
    """Return whether a word can continue with this character."""
    if char == "'":
        return True
    is_ideograph = any(first <= ord(char) <= last for first, last in _IDEOGRAPHS)
    return unicodedata.category(char)[0] in "LMN" and not is_ideograph
