"""Which of the returned arrays is which."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom._split import split

X, Y = np.zeros((6, 2)), np.zeros(6)
X_TEST, Y_TEST = np.ones((3, 2)), np.ones(3)
WANTED = (X, Y, X_TEST, Y_TEST)


@pytest.mark.parametrize(
    "returned",
    [
        ((X, Y), (X_TEST, Y_TEST)),
        [[X, Y], [X_TEST, Y_TEST]],
        (X, X_TEST, Y, Y_TEST),
        [X, Y, X_TEST, Y_TEST],
        {"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST},
        {"X_train": X, "Y_train": Y, "X_test": X_TEST, "y_test": Y_TEST, "more": 1},
    ],
)
def test_each_form_has_the_same_parts(returned):
    found = split(returned)
    assert all(one is two for one, two in zip(found, WANTED, strict=True))


def test_parts_of_equal_length_are_told_apart_by_their_dimensions():
    assert split((X, X + 1, Y, Y + 1)).y_train is Y
    assert split((X, Y, X + 1, Y + 1)).y_train is Y
    assert split((X.tolist(), (X + 1).tolist(), Y.tolist(), Y.tolist())).y_train == Y.tolist()


@pytest.mark.parametrize(
    ("returned", "word"),
    [
        (None, "NoneType"),
        (X, "ndarray"),
        ((X, Y), "train_test_split"),
        ((X, Y, X_TEST), "3 values"),
        ((Y, Y, Y, Y), "not clear"),
        ((X, X, X, X), "not clear"),
        ((X, X_TEST, Y, Y[:4]), "6, 3, 6, 4"),
        ((X, 3, Y, Y), "int"),
        ({"x_train": X, "y_train": Y, "xtest": X, "y_test": Y}, "'xtest' meant"),
        ({"x": X}, "lacks 'x_train'"),
    ],
)
def test_anything_else_is_refused(returned, word):
    with pytest.raises(StageError, match=word):
        split(returned)
