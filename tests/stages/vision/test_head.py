"""The last layer on features: the minimum of the penalised loss, with the penalty that validation prefers."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
CLASSES = 3


def _features(count, seed, noise=1.0):
    """Return features (n, 20) of very different spread, and their classes (n,)."""
    chance = np.random.default_rng(seed)
    classes = chance.integers(0, CLASSES, count)
    centres = np.random.default_rng(0).normal(size=(CLASSES, 20))
    values = centres[classes] + noise * chance.normal(size=(count, 20))
    return (values * np.logspace(-2, 2, 20) + 5).astype(np.float32), classes


def test_the_solver_finds_the_minimum_that_scikit_learn_finds():
    import tensorflow as tf
    from sklearn.linear_model import LogisticRegression

    from stages.vision import _head

    values, classes = _features(200, 1)
    x = ((values - values.mean(0)) / values.std(0)).astype(np.float32)
    penalty = 0.1
    with_one = tf.constant(np.pad(x, ((0, 0), (0, 1)), constant_values=1))
    shares = tf.constant(np.full((200, 1), 1 / 200, np.float32))
    kernel = _head._minimum(
        with_one, tf.one_hot(classes, CLASSES), shares, penalty, tf.zeros((21, CLASSES))
    ).numpy()
    wanted = LogisticRegression(C=1 / (200 * penalty), tol=1e-8, max_iter=1000).fit(x, classes)
    scores = np.exp(x @ kernel[:-1] + kernel[-1])
    scores /= scores.sum(1, keepdims=True)
    np.testing.assert_allclose(scores, wanted.predict_proba(x), atol=5e-3)


def test_the_layer_answers_for_the_features_as_they_are():
    from stages.vision import _head

    values, classes = _features(300, 1)
    unseen, truth = _features(300, 2)
    weight = np.ones(300, np.float32)
    (kernel, bias), row = _head.fit(values, classes, weight, (unseen, truth), CLASSES)
    accuracy = ((unseen @ kernel + bias).argmax(1) == truth).mean()
    assert accuracy == pytest.approx(row["val_accuracy"], abs=0.005)
    assert accuracy > 0.9


def test_validation_prefers_a_strong_penalty_for_few_noisy_features():
    from stages.vision import _head

    noisy, classes = _features(12, 1, noise=8.0)
    unseen, truth = _features(600, 2, noise=8.0)
    weight = np.ones(12, np.float32)
    losses = []
    for penalties in (_head.PENALTIES, _head.PENALTIES[-1:]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_head, "PENALTIES", penalties)
            losses.append(
                _head.fit(noisy, classes, weight, (unseen, truth), CLASSES)[1]["val_loss"]
            )
    assert losses[0] < 0.8 * losses[1]


def test_a_class_of_great_weight_is_named_more_often():
    from stages.vision import _head

    values, classes = _features(300, 1, noise=4.0)
    named = []
    for share in (1.0, 20.0):
        weight = np.where(classes == 0, share, 1.0).astype(np.float32)
        (kernel, bias), _ = _head.fit(values, classes, weight, (values, classes), CLASSES)
        named.append(((values @ kernel + bias).argmax(1) == 0).sum())
    assert named[1] > 1.2 * named[0]
