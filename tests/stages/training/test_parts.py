"""Examples are divided by label, near-duplicates together, and as their owner has divided them."""

import numpy as np
import pytest

from stages.training import parts


def divided(labels, splits=None, group=None, rows=None, seed=0):
    count = len(labels)
    return parts.divide(
        labels,
        splits or [None] * count,
        np.arange(count) if group is None else np.array(group),
        range(count) if rows is None else rows,
        (0.2, 0.15),
        seed,
    )


def test_each_label_has_its_shares():
    labels = [*["cat"] * 40, *["dog"] * 20]
    found = divided(labels)
    dogs = {name: sum(at >= 40 for at in rows) for name, rows in found.items()}
    assert dogs == {"train": 13, "val": 3, "test": 4}
    assert sorted(at for rows in found.values() for at in rows) == list(range(60))


def test_only_the_given_rows_are_divided():
    found = divided(["cat"] * 20, rows=range(5, 15))
    assert sorted(at for rows in found.values() for at in rows) == list(range(5, 15))


def test_a_label_with_one_example_is_trained_on():
    assert 20 in divided([*["cat"] * 20, "owl"])["train"]


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_are_in_one_part(seed):
    found = divided(["cat"] * 12, group=[at // 3 for at in range(12)], seed=seed)
    for rows in found.values():
        assert all({3 * (at // 3) + more for more in range(3)} <= set(rows) for at in rows)


def test_an_existing_validation_part_is_kept():
    splits = [*["train"] * 6, *["val"] * 2, *["test"] * 2]
    assert divided(["cat"] * 10, splits) == {
        "train": [0, 1, 2, 3, 4, 5],
        "val": [6, 7],
        "test": [8, 9],
    }
