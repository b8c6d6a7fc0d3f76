"""The drop of accuracy that a gate may judge."""

import pytest

from stages.evaluation.drop import beyond_one


@pytest.mark.parametrize(
    ("float_correct", "correct", "examples", "drop"),
    [
        (18, 17, 18, 0.0),  # 0.056, and one clip alone
        (18, 16, 18, 2 / 18),
        (99, 98, 100, 0.0),
        (200, 198, 200, 0.01),  # exactly: 1 - 0.99 is above 0.01 in binary
        (1000, 989, 1000, 0.011),
        (17, 18, 18, 0.0),
        (15, 18, 18, -3 / 18),
    ],
)
def test_one_example_is_no_drop_and_more_are_counted(float_correct, correct, examples, drop):
    assert beyond_one(float_correct / examples, correct / examples, examples) == drop
