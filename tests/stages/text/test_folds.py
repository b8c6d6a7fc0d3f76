"""The folds of a cross-validation."""

import numpy as np

from stages.text._folds import FOLDS, folds

INTENTS = np.array([0] * 10 + [1] * 5 + [-1] * 7)


def test_the_sentences_of_an_intent_are_spread_over_all_folds():
    fold = folds(INTENTS, 0)
    assert np.bincount(fold[INTENTS == 0]).tolist() == [2] * FOLDS
    assert np.bincount(fold[INTENTS == 1]).tolist() == [1] * FOLDS


def test_the_same_seed_gives_the_same_folds():
    assert folds(INTENTS, 3).tolist() == folds(INTENTS, 3).tolist()
    assert folds(INTENTS, 3).tolist() != folds(INTENTS, 4).tolist()
