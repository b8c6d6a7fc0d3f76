"""The forms in which files contain a name, and text without it. Pure.

A name may be part of another one, or a word of the program: `Lee` is in "Ann Lee/1.jpg", and "embedder" may
be a person, too. So what is rewritten must look like a name in its place: in that of a picture, or in a list.
"""

import html
import json
import re
import unicodedata
from collections.abc import Iterable
from enum import Enum
from typing import Any
from urllib.parse import quote

REMOVED = "[removed]"
_FEWEST_BYTES = 5  # of a name that is searched for in binary files: shorter ones occur by chance
_LETTER = r"\w\u0300-\u036f-"  # accents that are characters of their own are no \w
_STARTS = r"""(?:(?<![^\n])|(?<=["'>\[(;])|(?<=[:,] ))"""
_SUFFIXES = "jpe?g|jfif|png|bmp|gif|webp|tiff?|hei[cf]|avif|jp2|p[gpb]m"
_PICTURE = rf"""(?=/(?:(?![,:;] )[^\n"])*?\.(?i:{_SUFFIXES})(?!\w))"""
_AFTER_NUMBER = r"(?= and \d| \(\d?| -?\d)"  # "Ann and 3 more", "Ann (0.91)", "Ann 0.91"
_ITEM = rf"""(?:(?=$|\n|[,;"<]|&quot;)|{_AFTER_NUMBER})"""
_LISTED = rf"(?:(?<=[:,;] )NAME{_ITEM}|(?<![^\n])NAME(?:(?=[,;] )|{_AFTER_NUMBER}))"


class _Where(Enum):
    """The patterns around a name that make it count; NAME is replaced by its forms."""

    PICTURES = f"{_STARTS}NAME{_PICTURE}"
    FOLDERS = f"{_STARTS}NAME(?=/)"
    LISTS = f"{_STARTS}NAME(?=/)|{_LISTED}"
    ANYWHERE = f"(?<![{_LETTER}])NAME(?![{_LETTER}])"


def normal(name: str) -> str:
    """Return one form of a name, however a file system or a keyboard composes its letters."""
    return unicodedata.normalize("NFC", name).strip()


class Words:
    """A person's name where a text names pictures ("Ann/1.jpg") or people ("left out: Ann, Bob")."""

    def __init__(self, name: str, others: Iterable[str] = (), where: _Where = _Where.LISTS) -> None:
        """others: names of further people, which may contain this one."""
        self.name, self._others = normal(name), frozenset(map(normal, others))
        longer = {one for one in self._others if self.name in one} - {self.name}
        own, further = _forms([self.name]), _forms(longer)
        if self.name.isdecimal() and where is not _Where.PICTURES:
            where = _Where.FOLDERS  # a number is seldom a name elsewhere
        self._text = re.compile(f"(?P<other>{_pattern(further, where)})|{_pattern(own, where)}")
        self._needles = [form.encode() for form in own]

    @property
    def of_pictures(self) -> "Words":
        """Return the name as it begins the names of the person's pictures."""
        return Words(self.name, self._others, _Where.PICTURES)

    @property
    def anywhere(self) -> "Words":
        """Return the name as a word of its own, which may also mean something else."""
        return Words(self.name, self._others, _Where.ANYWHERE)

    def are(self, value: Any) -> bool:
        """Return whether a value is the name and nothing else."""
        return isinstance(value, str) and normal(value) == self.name

    def are_in(self, value: Any) -> bool:
        """Return whether a text, or JSON data with texts, has the name."""
        return bool(self.replaced(value) != value)

    def are_in_bytes(self, data: bytes) -> bool:
        """Return whether a file has the name; a short name counts only in text."""
        if not any(needle in data for needle in self._needles):  # much faster than the pattern
            return False
        if len(self.name.encode()) < _FEWEST_BYTES and b"\0" in data:
            return False
        return self.are_in(data.decode(errors="replace"))

    def replaced(self, value: Any) -> Any:
        """Return a text, or JSON data with texts, without the name."""
        if isinstance(value, str):
            return self._text.sub(lambda found: found[0] if found["other"] else REMOVED, value)
        if isinstance(value, list):
            return [self.replaced(one) for one in value]
        if isinstance(value, dict):
            return {key: self.replaced(one) for key, one in value.items()}
        return value


def _forms(names: Iterable[str]) -> list[str]:
    """Return how files write the names, the longest first."""
    found = set[str]()
    for name in names:
        for one in (name, unicodedata.normalize("NFD", name)):
            escaped = json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1]
            found |= {one, *escaped, html.escape(one), quote(one)}
    return sorted(found, key=lambda form: (-len(form), form))


def _pattern(forms: Iterable[str], where: _Where) -> str:
    """Return a pattern of the forms in these places; without forms, one that matches nothing."""
    name = "|".join(map(re.escape, forms)) or "(?!)"
    return where.value.replace("NAME", f"(?:{name})")
