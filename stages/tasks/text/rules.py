"""What a chatbot answers, apart from its model: responses, contexts and entities, in a file rules.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, List

from engine.stage import StageError

FILE = "rules.json"


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
    """Return the rules in a folder; StageError: they are damaged."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        contexts = {name: Context(**one) for name, one in found["contexts"].items()}
        rules = Rules(**{**found, "contexts": contexts})
        texts = [*rules.not_understood, *_flat(rules.responses), *_flat(rules.patterns)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StageError(f"the package's {FILE} is damaged: package the model again") from error
    if not rules.not_understood or not all(isinstance(one, str) for one in texts):
        raise StageError(f"the package's {FILE} has no texts to answer: package the model again")
    return rules


def _flat(several: Mapping[str, Sequence[Any]]) -> List[Any]:
    return [one for some in several.values() for one in some]
