"""What a chatbot answers, apart from its model: responses, contexts and entities, in a file rules.json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, TypeVar

from engine.stage import StageError

FILE = "rules.json"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Context:
    """The contexts of which an intent requires one, and those that it sets."""

    requires: Sequence[str] = ()
    sets: Sequence[str] = ()


@dataclass(frozen=True)
class Rules:
    """The responses of each intent, and what they depend on."""

    responses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    not_understood: Sequence[str] = ("I did not understand that.",)
    contexts: Mapping[str, Context] = field(default_factory=dict)
    lookups: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> Rules:
    """Return the rules in a folder; StageError: they are damaged, such as by hand."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        rules = Rules(
            responses=_each(found.pop("responses"), _texts),
            not_understood=_texts(found.pop("not_understood")),
            contexts=_each(found.pop("contexts"), _context),
            lookups=_each(found.pop("lookups"), _lists),
            patterns=_each(found.pop("patterns"), _patterns),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StageError(f"the package's {FILE} is damaged: package the model again") from error
    if found or not rules.not_understood:
        raise StageError(
            f"the package's {FILE} has unknown keys, or no answer to what is not understood: package the "
            "model again"
        )
    return rules


def _each(value: Any, read_one: Callable[[Any], _T]) -> Dict[str, _T]:
    return {name: read_one(one) for name, one in value.items()}


def _context(value: Any) -> Context:
    return Context(**_lists(value))


def _lists(value: Any) -> Dict[str, List[str]]:
    return _each(value, _texts)


def _texts(value: Any) -> List[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("not a list of texts")
    return value


def _patterns(value: Any) -> List[str]:
    """Return texts that are regular expressions."""
    for pattern in _texts(value):
        try:
            re.compile(pattern, re.IGNORECASE)
        except (re.error, OverflowError) as error:
            raise ValueError(str(error)) from None
    return _texts(value)
