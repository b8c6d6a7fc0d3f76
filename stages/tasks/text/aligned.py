"""Text in the form in which words are compared, with the place of each character in the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import List

from stages.tasks.text.normalise import normalised

# Scripts that are written without spaces: a word may begin and end anywhere.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Aligned:
    """Folded text, and for each of its characters the first and the following place in the original."""

    text: str
    starts: List[int]
    ends: List[int]


def is_edge(text: str, at: int) -> bool:
    """Return whether a word may begin or end between the characters at - 1 and at."""
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    joined = before.isalnum() and after.isalnum()
    return not joined or bool(_UNSPACED.match(before) or _UNSPACED.match(after))


def align(text: str) -> Aligned:
    """Return the normalised text.

    A letter is normalised together with its combining marks, but jamo stay apart.
    """
    folded: List[str] = []
    starts: List[int] = []
    ends: List[int] = []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        cluster = text[at:end]
        for character in " " if cluster.isspace() else normalised(cluster):
            if character == " " and folded[-1:] in ([" "], []):
                continue
            folded.append(character)
            starts.append(at)
            ends.append(end)
        at = end
    if folded and folded[-1] == " ":
        del folded[-1], starts[-1], ends[-1]
    return Aligned("".join(folded), starts, ends)
