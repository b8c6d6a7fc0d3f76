"""Names of files in a user's folder: their natural order, and which of them are hidden.

The engine and the stages use both, so that they see the same files in the same order.
"""

import re

_OF_SYSTEMS = ("thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir")  # Windows and Synology


def natural_order(name: str) -> "tuple[list[tuple[int, str]], str]":
    """Return a sort key that orders numbers in names by value: frame2 before frame10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def is_hidden(name: str) -> bool:
    """Return whether an operating system adds such a file or folder: .DS_Store, __MACOSX, Thumbs.db."""
    return name.startswith((".", "__")) or name.lower() in _OF_SYSTEMS
