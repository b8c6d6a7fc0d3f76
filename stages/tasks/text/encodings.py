"""Decodes text in any encoding, also text that is not Unicode, which the build machine has to guess.

Such text is taken for Greek (Windows 1253 or ISO 8859-7) if most of its words beyond ASCII would then be
Greek words, for Chinese (GB 18030) if most of its characters would be common Chinese ones, and otherwise for
Western European (Windows 1252). Detectors for all encodings of the world, such as charset-normalizer, often
err on files of a few words.
"""

from __future__ import annotations

import re
from typing import Tuple

from stages.tasks.text import reading

_GREEK, _CHINESE = "cp1253", "gb18030"
_LAST_COMMON = 0xD7  # first byte of the last character of level 1
# ISO 8859-7 has Ά where Windows 1253 has a pilcrow; the other letters have equal codes
_ISO_GREEK, _ISO_ALPHA = "iso8859_7", re.compile(rb"\xb6[\xdc-\xfe]")
_WORD = re.compile(r"[A-Za-z\u0370-\u03ff]*[\u0370-\u03ff][A-Za-z\u0370-\u03ff]*")
_CAPITAL, _SMALL = "\u0386\u0388-\u038f\u0391-\u03ab", "\u0390\u03ac-\u03ce"
_GREEK_WORD = re.compile(rf"[{_CAPITAL}]?[{_SMALL}]+|[{_CAPITAL}]{{2,}}")


def decoded(data: bytes) -> Tuple[str, str]:
    """Return the text, and the name of its encoding."""
    text = reading.decoded(data)
    if text is not None:
        name = reading.encoding(data)
        return text, "utf-8" if name.startswith("utf-8") else name[:6].upper()
    name = guessed(data)
    return data.decode(name, errors="replace").replace("\0", ""), name


def guessed(data: bytes) -> str:
    """Return the encoding of text that is not Unicode."""
    if _may_be_greek(data):
        return _ISO_GREEK if _ISO_ALPHA.search(data) else _GREEK
    return _CHINESE if _may_be_chinese(data) else reading.WESTERN


def _may_be_greek(data: bytes) -> bool:
    """Return whether most words with a Greek letter have only such, with capitals where they belong.

    An accent of another language would be a Greek letter among Latin ones.
    """
    text = data.replace(b"\xb6", b"\xa2").decode(_GREEK, errors="replace")
    words = [one for one in _WORD.findall(text) if len(one) > 1]
    return 2 * sum(bool(_GREEK_WORD.fullmatch(one)) for one in words) > len(words)


def _may_be_chinese(data: bytes) -> bool:
    """Return whether most characters beyond ASCII would be among the 3,755 of daily use, or punctuation.

    The rare ones of GB 2312 begin with a byte that is a small letter in Western Europe: öß would be one.
    """
    try:
        beyond = [one for one in data.decode(_CHINESE) if ord(one) > 127]
    except ValueError:
        return False
    codes = [one.encode("gb2312", errors="ignore") for one in beyond]
    return 2 * sum(len(code) == 2 and code[0] <= _LAST_COMMON for code in codes) > len(beyond)
