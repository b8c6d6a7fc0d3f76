"""What x may be, and what it becomes."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom._features import features

ROWS = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize(
    ("x", "kind", "shape"),
    [
        (ROWS, "float64", (2,)),
        (ROWS.astype(np.float32), "float32", (2,)),
        (ROWS.astype(np.float16), "float32", (2,)),
        (ROWS.astype(np.uint8), "uint8", (2,)),
        (ROWS > 3, "uint8", (2,)),
        (ROWS.tolist(), "float64", (2,)),
        (ROWS.astype(object), "float64", (2,)),
        (ROWS[:, 0], "float64", (1,)),
        (np.zeros((6, 4, 4, 3), np.uint8), "uint8", (4, 4, 3)),
    ],
)
def test_numbers_keep_their_type_as_far_as_possible(x, kind, shape):
    found = features(x, x[:2])
    assert (found.train.dtype.name, found.shape, found.names) == (kind, shape, ())


def test_both_parts_get_one_type():
    found = features(ROWS.astype(np.uint8), ROWS)
    assert found.train.dtype == found.test.dtype == np.float64


def test_a_frame_keeps_the_names_of_its_columns_in_any_order():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    found = features(frame, frame[["b", "a"]])
    assert found.names == ("a", "b")
    assert found.test.tolist() == found.train.tolist() == [[1, 0.5], [2, 1.5]]
    with pytest.raises(StageError, match="lacks the column 'b'"):
        features(frame, frame[["a"]])
    with pytest.raises(StageError, match="column 'c' of x_train"):
        features(frame.assign(c="x"), frame.assign(c="x"))


def test_a_sparse_matrix_becomes_an_array():
    sparse = pytest.importorskip("scipy.sparse")
    assert features(sparse.csr_matrix(ROWS), ROWS).train.tolist() == ROWS.tolist()


def test_columns_with_missing_values_are_named():
    gaps = ROWS.copy()
    gaps[0, 1] = np.nan
    assert features(gaps, ROWS).missing == (1,)
    assert features(ROWS, gaps).missing == (1,)


@pytest.mark.parametrize(
    ("x", "x_test", "word"),
    [
        (ROWS, ROWS[:, :1], "shape"),
        (ROWS, ROWS[:0], "no examples"),
        ([["a", "b"]], ROWS, "text"),
        ([[1, 2], [3]], ROWS, "different sizes"),
        (ROWS.astype("M8[D]"), ROWS, "dates"),
        (ROWS * 1j, ROWS, "complex"),
        (np.where(ROWS == 3, np.inf, ROWS), ROWS, r"infinite at \[1, 1\]"),
        (np.array([["a", 1]], object), ROWS, "other than numbers"),
    ],
)
def test_anything_else_is_refused(x, x_test, word):
    with pytest.raises(StageError, match=word):
        features(x, x_test)
