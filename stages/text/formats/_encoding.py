"""Decodes a text file, whatever its encoding.

UTF-8 and UTF-16 are recognised for certain. Otherwise charset-normalizer chooses between the encodings
in which Western European, Greek and Chinese files still occur, by how well the letters form words of a
language. The choice depends only on the file's bytes.
"""

import re

import charset_normalizer

from stages.tasks.text import reading
from stages.text.formats._findings import Findings

_WESTERN, _GREEK, _CHINESE = "cp1252", "cp1253", "gb18030"
# ISO 8859-7 has Ά where Windows 1253 has a pilcrow; the other letters have equal codes
_ISO_GREEK, _ISO_ALPHA = "iso8859_7", re.compile(rb"\xb6[\xdc-\xfe]")


def decoded(data: bytes, name: str, findings: Findings) -> str:
    """Return a file's text; findings: gets its encoding if that is not UTF-8."""
    text = reading.decoded(data)
    if text is not None:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
            findings.add("recoded", name, "UTF-16")
        return text
    encoding = guessed(data)
    findings.add("recoded", name, encoding)
    return data.decode(encoding, errors="replace")


def guessed(data: bytes) -> str:
    """Return the encoding of text that is not Unicode."""
    candidates = [_WESTERN, _GREEK] + [_CHINESE] * _may_be_chinese(data)
    best = charset_normalizer.from_bytes(data, cp_isolation=candidates).best()
    encoding = best.encoding if best else _WESTERN
    return _ISO_GREEK if encoding == _GREEK and _ISO_ALPHA.search(data) else encoding


def _may_be_chinese(data: bytes) -> bool:
    """Return whether most characters would be among the 6,763 common ones.

    Otherwise a single accent before a letter, as in "Ça", would be a rare Chinese character.
    """
    try:
        beyond = [one for one in data.decode(_CHINESE) if ord(one) > 127]
    except ValueError:
        return False
    common = sum(len(one.encode("gb2312", errors="ignore")) == 2 for one in beyond)
    return 2 * common > len(beyond)
