"""Fills in the words of a command: `{inputs.x}`, `{outputs.y}` and `{params.z}`."""

import re
from typing import Any, Mapping

_PLACEHOLDER = re.compile(r"\{(inputs|outputs|params)\.(\w+)\}")


def filled(word: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Replace each placeholder once: braces in the values are not expanded.

    The check of the use case has made sure that each name exists.
    """
    return _PLACEHOLDER.sub(lambda found: str(groups[found[1]][found[2]]), word)
