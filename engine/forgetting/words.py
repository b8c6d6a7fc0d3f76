"""The forms in which files contain a name, and text without it. Pure."""

import html
import json
import re
from typing import Any
from urllib.parse import quote

REMOVED = "[removed]"
_FEWEST_BYTES = 5  # of a name that is searched for in binary files: shorter ones occur by chance


class Words:
    """A name as a word of its own: `Ann` is in "Ann/1.jpg", but not in "Annie"."""

    def __init__(self, name: str, *, in_paths: bool = False) -> None:
        """in_paths: only as the folder of a file, where it is certainly a name."""
        self._name = name
        escaped = json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]
        forms = sorted({name, *escaped, html.escape(name), quote(name)}, key=len, reverse=True)
        is_ordinary = name.isdecimal()  # a number is seldom a name elsewhere
        after = "(?=/)" if in_paths or is_ordinary else r"(?!\w)"
        self._text = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))}){after}")
        self._bytes = re.compile(self._text.pattern.encode())
        self._forms = [form.encode() for form in forms]

    @property
    def of_pictures(self) -> "Words":
        """Return the name as it is in the paths of the person's pictures."""
        return Words(self._name, in_paths=True)

    def are_in(self, value: Any) -> bool:
        """Return whether a text, or JSON data with texts, has the name."""
        return bool(self.replaced(value) != value)

    def are_in_bytes(self, data: bytes) -> bool:
        """Return whether a file has the name; a short name counts only in text."""
        if not any(form in data for form in self._forms):  # much faster than the pattern
            return False
        if not self._bytes.search(data):
            return False
        return len(self._name.encode()) >= _FEWEST_BYTES or b"\0" not in data

    def replaced(self, value: Any) -> Any:
        """Return a text, or JSON data with texts, without the name."""
        if isinstance(value, str):
            return self._text.sub(REMOVED, value)
        if isinstance(value, list):
            return [self.replaced(one) for one in value]
        if isinstance(value, dict):
            return {key: self.replaced(one) for key, one in value.items()}
        return value
