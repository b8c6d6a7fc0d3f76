"""Judges few sentences by networks that have not learnt them: cross-validation."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stages.text._course import Course, Sentences

FOLDS = 5


def out_of_fold(
    sentences: "Sentences", build: Callable[[], Any], course: "Course", seed: int
) -> NDArray[np.float32]:
    """Return the logits (n, classes) of each sentence, by a network trained on the other folds."""
    fold = folds(sentences.intents, seed)
    logits = np.zeros((len(fold), sentences.classes), np.float32)
    for at in range(FOLDS):
        held = np.flatnonzero(fold == at)
        if len(held):
            network = build()
            course.train(network, sentences.at(np.flatnonzero(fold != at)), None)
            logits[held] = sentences.at(held).outputs(network)
    return logits


def folds(intents: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of each sentence, (n,): those of an intent are spread over all folds."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(intents))
    order = order[np.argsort(intents[order], kind="stable")]
    found = np.zeros(len(intents), np.int64)
    found[order] = np.arange(len(intents)) % FOLDS
    return found
