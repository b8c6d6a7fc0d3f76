"""Measures milliseconds per sentence: features and int8 network, beside scikit-learn's tf-idf and LinearSVC.

Both answer the same sentences one at a time, on one processor core, and take turns. The sentences are made of
syllables, as long as those of people; the network has random weights, which do not change its time. If
MIRROR/chatbot/clinc150 is given, both are made from its training sentences and answer its test sentences.
scikit-learn is not a dependency of this project: without it, only ours is measured.
Usage: benchmarks/chatbot.py [MIRROR]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZE, HIDDEN, CLASSES = 8192, 384, 150
TRAINED, TESTED, ROUNDS = 15_000, 300, 5
BOUND_MS = 2.0
BUILD = """
import sys
from pathlib import Path
from stages.text import _network
from stages.training import network as training
folder, (size, hidden, classes) = Path(sys.argv[1]), map(int, sys.argv[2:])
training.fix(0, 2)
training.save(_network.build(size, hidden, classes), folder / "network")
"""
QUANTISE = """
import sys
from pathlib import Path
from stages.edge.quantise import quantise
folder = Path(sys.argv[1])
quantise(folder / "network", folder / "models", folder / "train", input_type="uint8")
"""


def main(mirror: str) -> None:
    """Print the figures, and whether ours keeps its bound."""
    learnt, intents, asked = real(Path(mirror)) if mirror else made()
    print(f"{len(learnt):,} training sentences, {len(set(intents))} intents, one core")
    with tempfile.TemporaryDirectory() as folder:
        features, model = ours(Path(folder), learnt)
        answers: dict[str, Callable[[str], Any]] = {
            "features": features.vector,
            "features and int8 network": lambda text: model(features.vector(text)),
        }
        if svc := sklearn_svc(learnt, intents):
            answers["scikit-learn, tf-idf and LinearSVC"] = lambda text: svc.predict([text])
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        figures = taking_turns(answers, asked)
    for name, figure in figures.items():
        print(f"{name:36} {figure:7.3f} ms per sentence")
    verdict = "keeps" if figures["features and int8 network"] <= BOUND_MS else "exceeds"
    print(f"features and int8 network {verdict} {BOUND_MS:g} ms")


def made() -> tuple[list[str], list[int], list[str]]:
    """Return made training sentences, their intents, and test sentences."""
    chance = np.random.default_rng(0)
    syllables = [a + b for a in "bcdfghklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er")]
    known = ["".join(chance.choice(syllables, chance.integers(1, 4))) for _ in range(6000)]
    frequency = 1 / np.arange(1, len(known) + 1)  # Zipf's law
    texts = [
        " ".join(chance.choice(known, chance.integers(4, 14), p=frequency / frequency.sum()))
        for _ in range(TRAINED + TESTED)
    ]
    return texts[:TRAINED], [at % CLASSES for at in range(TRAINED)], texts[TRAINED:]


def real(mirror: Path) -> tuple[list[str], list[str], list[str]]:
    """Return CLINC150's training sentences, their intents, and test sentences."""
    parts = json.loads((mirror / "chatbot/clinc150/data_full.json").read_text(encoding="utf-8"))
    texts, intents = zip(*parts["train"], strict=True)
    step = len(parts["test"]) // TESTED
    return list(texts), list(intents), [text for text, _ in parts["test"][::step]]


def ours(folder: Path, learnt: list[str]) -> tuple[Any, Callable[[Any], Any]]:
    """Return the features of the sentences, and a function that runs the int8 network on a vector."""
    from stages.tasks.text.features import Features
    from stages.tflite import part
    from stages.tflite.model import open_model

    features = Features.fit(learnt, SIZE)
    part.write(folder / "train", {"sentence": features.vectors(learnt[:200])})
    sizes = [str(one) for one in (features.size, HIDDEN, CLASSES)]
    for program in ([BUILD, str(folder), *sizes], [QUANTISE, str(folder)]):
        command = [sys.executable, "-c", *program]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    model = open_model(folder / "models/model/int8.tflite", threads=1)
    (name,) = model.inputs
    return features, lambda vector: model.predict({name: vector[None]})


def sklearn_svc(learnt: list[str], intents: list[Any]) -> Any:
    """Return the fitted pipeline, or None if scikit-learn is not installed."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.svm import LinearSVC
    except ImportError:
        return None
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(make_union(words, letters), LinearSVC()).fit(learnt, intents)


def taking_turns(answers: dict[str, Callable[[str], Any]], asked: list[str]) -> dict[str, float]:
    """Return the median of the rounds' milliseconds per sentence; the first round only warms up."""
    rounds: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(ROUNDS + 1):
        for name, answer in answers.items():
            began_s = time.perf_counter()
            for text in asked:
                answer(text)
            rounds[name].append(1000 * (time.perf_counter() - began_s) / len(asked))
    return {name: statistics.median(found[1:]) for name, found in rounds.items()}


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])
