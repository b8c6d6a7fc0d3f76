"""Parts of a data set with a few made sentences, as stages.text.dataset writes them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.tasks.text.features import Features
from stages.tflite import part

LABELS = ["greet", "music", "weather"]
_STARTS = {
    "greet": ["hello", "good morning", "γεια σου", "hallo"],
    "music": ["play", "put on", "I want to hear", "spiele"],
    "weather": ["will it rain", "is it cold", "how is the weather", "wie wird das Wetter"],
}
_ENDS = {
    "greet": ["friend", "my dear", "everybody", "bot", "again", ""],
    "music": ["a song", "jazz", "the album", "ein Lied", "some music", "rock"],
    "weather": ["today", "in Rome", "tomorrow", "heute", "on Monday", "outside"],
}
OUTSIDE = [
    "what is the capital of peru",
    "sell my shares",
    "write an essay",
    "who won the game",
] * 3


def sentences(intent: str) -> list[tuple[str, str | None]]:
    return [(f"{a} {b}", intent) for a in _STARTS[intent] for b in _ENDS[intent]]


def write(
    root: Path, outside: Sequence[str] = OUTSIDE, validation: bool = True, repeated: int = 1
) -> Path:
    """Write train/ with validation/, and test/; every third sentence is for testing."""
    rows = [row for label in LABELS for row in sentences(label)]
    rows += [(text, None) for text in outside]
    parts = {"train": rows[1::3], "test": rows[::3]}
    if validation:
        parts["train/validation"] = rows[2::3] * repeated
    features = Features.fit([text for text, _ in parts["train"]])
    for name, chosen in parts.items():
        part_of(root / name, chosen, features)
    return root


def part_of(folder: Path, rows: Sequence[tuple[str, str | None]], features: Features) -> None:
    part.write(folder, {"sentence": features.vectors([text for text, _ in rows])})
    intents = [-1 if intent is None else LABELS.index(intent) for _, intent in rows]
    np.save(folder / "truth_intent.npy", np.array(intents, np.int64))
    about = [{"text": text, "intent": intent, "source": "made"} for text, intent in rows]
    (folder / "sentences.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "labels.txt").write_text("".join(f"{one}\n" for one in LABELS), encoding="utf-8")
