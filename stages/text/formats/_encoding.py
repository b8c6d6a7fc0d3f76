"""Decodes a text file, whatever its encoding.

UTF-8 and UTF-16 are recognised for certain. Anything else is taken for Greek (Windows 1253 or ISO 8859-7)
if most of its words beyond ASCII would then be Greek words, for Chinese (GB 18030) if most of its
characters would be common Chinese ones, and otherwise for Western European (Windows 1252). Detectors for
all encodings of the world, such as charset-normalizer, often err on files of a few words.
"""

import re

from stages.tasks.text import reading
from stages.text.formats._findings import Findings

_GREEK, _CHINESE = "cp1253", "gb18030"
# ISO 8859-7 has Ά where Windows 1253 has a pilcrow; the other letters have equal codes
_ISO_GREEK, _ISO_ALPHA = "iso8859_7", re.compile(rb"\xb6[\xdc-\xfe]")
_HALF = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[A-Za-z\u0370-\u03ff]*[\u0370-\u03ff][A-Za-z\u0370-\u03ff]*")
_CAPITAL, _SMALL = "\u0386\u0388-\u038f\u0391-\u03ab", "\u0390\u03ac-\u03ce"
_GREEK_WORD = re.compile(rf"[{_CAPITAL}]?[{_SMALL}]+|[{_CAPITAL}]{{2,}}")


def decoded(data: bytes, name: str, findings: Findings) -> str:
    """Return a file's text; findings: gets its encoding if that is not UTF-8."""
    text = reading.decoded(data)
    if text is not None:
        encoding = reading.encoding(data)
        if not encoding.startswith("utf-8"):
            findings.add("recoded", name, encoding[:6].upper())
        return text
    encoding = guessed(data)
    findings.add("recoded", name, encoding)
    return data.decode(encoding, errors="replace").replace("\0", "")


def whole(text: str) -> str:
    """Return the text with the halves of a character, which escapes can write, replaced."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


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
    """Return whether most characters beyond ASCII would be among the 6,763 common ones."""
    try:
        beyond = [one for one in data.decode(_CHINESE) if ord(one) > 127]
    except ValueError:
        return False
    common = sum(len(one.encode("gb2312", errors="ignore")) == 2 for one in beyond)
    return 2 * common > len(beyond)
