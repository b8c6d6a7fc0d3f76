"""The training sentences that a package may carry, to explain an answer by similar ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, FrozenSet, List

from engine.stage import StageError
from stages.tasks.text.normalise import normalised

FILE = "sentences.json"
SHOWN = 5
Example = Dict[str, Any]  # text; intent, or null if it is out of scope


def read(folder: Path) -> List[Example]:
    """Return the training sentences in a folder; empty if the package has none."""
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        inside = [(intent, text) for intent, texts in found["intents"].items() for text in texts]
        outside = [(None, text) for text in found["out_of_scope"]]
        return [{"text": str(text), "intent": intent} for intent, text in (*inside, *outside)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StageError(f"the package's {FILE} is damaged: package the model again") from None


def write(folder: Path, examples: Sequence[Example]) -> None:
    """Write the training sentences into an existing folder."""
    intents: Dict[str, List[str]] = {}
    for one in examples:
        if one["intent"] is not None:
            intents.setdefault(one["intent"], []).append(one["text"])
    outside = [one["text"] for one in examples if one["intent"] is None]
    text = json.dumps({"intents": intents, "out_of_scope": outside}, ensure_ascii=False, indent=0)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def most_similar(text: str, examples: Sequence[Example]) -> List[Dict[str, Any]]:
    """Return the most similar sentences with their similarity, 0 to 1, the most similar first.

    It is Dice's coefficient of the groups of three characters: 1 if all are shared.
    """
    wanted = _groups(text)
    found = [
        {**one, "similarity": round(_shared(wanted, _groups(one["text"])), 3)} for one in examples
    ]
    found.sort(key=lambda one: (-one["similarity"], one["text"]))
    return [one for one in found[:SHOWN] if one["similarity"] > 0]


def _groups(text: str) -> FrozenSet[str]:
    padded = f"  {normalised(text)} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))


def _shared(one: FrozenSet[str], other: FrozenSet[str]) -> float:
    return 2 * len(one & other) / max(1, len(one) + len(other))
