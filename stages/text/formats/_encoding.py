"""Decodes the files of a data set of sentences, and replaces what is no whole character."""

import re

from stages.tasks.text import encodings
from stages.text.formats._findings import Findings

_HALF = re.compile("[\ud800-\udfff]")


def decoded(data: bytes, name: str, findings: Findings) -> str:
    """Return a file's text; findings: gets its encoding if that is not UTF-8."""
    text, encoding = encodings.decoded(data)
    if encoding != "utf-8":
        findings.add("recoded", name, encoding)
    return text


def whole(text: str) -> str:
    """Return the text with the halves of a character, which escapes can write, replaced."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)
