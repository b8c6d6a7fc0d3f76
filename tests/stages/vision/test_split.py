"""Pictures are cut class by class, near-duplicates together, and as their owner has cut them."""

from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.vision import _split
from stages.vision._pictures import Source


def sources(*labels: str, split=lambda at: None) -> list[Source]:
    return [Source(Path(str(at)), str(at), label, split(at)) for at, label in enumerate(labels)]


def cut(given, group=None, left_out=(), seed=0):
    numbers = np.arange(len(given)) if group is None else np.array(group)
    return _split.split(given, numbers, set(left_out), (0.2, 0.15), seed)


def test_each_class_has_its_shares_of_the_parts():
    given = sources(*["cat"] * 40, *["dog"] * 20)
    parts = cut(given)
    counts = {
        name: [sum(given[at].label == label for at in rows) for label in ("cat", "dog")]
        for name, rows in parts.items()
    }
    assert counts == {"train": [26, 13], "val": [6, 3], "test": [8, 4]}
    assert sorted(at for rows in parts.values() for at in rows) == list(range(60))


def test_the_seed_decides():
    given = sources(*["cat"] * 40, *["dog"] * 20)
    assert cut(given) == cut(given)
    assert cut(given) != cut(given, seed=1)


@pytest.mark.parametrize("seed", range(10))
def test_near_duplicates_are_in_one_part(seed):
    given = sources(*["cat"] * 12, *["dog"] * 12)
    group = [at // 3 for at in range(24)]
    parts = cut(given, group, seed=seed)
    for rows in parts.values():
        assert all({3 * (at // 3) + more for more in range(3)} <= set(rows) for at in rows)


@pytest.mark.parametrize("seed", range(10))
def test_a_group_with_most_of_a_class_is_trained_on(seed):
    given = sources(*["cat"] * 20, *["dog"] * 20)
    group = [*[0] * 12, *range(12, 40)]  # twelve frames of one burst
    assert set(range(12)) <= set(cut(given, group, seed=seed)["train"])


def test_few_pictures_are_trained_on_first():
    parts = cut(sources("cat", "dog", "dog", "owl", "owl", "owl"))
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 3, "val": 1, "test": 2}


def test_the_owners_parts_stay_and_validation_is_cut_from_training():
    given = sources(*["cat"] * 20, *["dog"] * 20, split=lambda at: "train" if at % 4 else "test")
    parts = cut(given)
    assert parts["test"] == list(range(0, 40, 4))
    assert len(parts["val"]) == 4


def test_training_gives_up_what_is_nearly_in_the_test():
    given = sources(*["cat", "dog"] * 4, split=lambda at: "test" if at < 2 else "train")
    parts = cut(given, [0, 1, 0, 3, 4, 5, 6, 7])
    assert 2 not in parts["train"] + parts["val"]


def test_the_same_pixels_in_two_classes_are_ambiguous():
    given = sources("cat", "dog", "cat", "cat")
    assert _split.ambiguous([b"a", b"a", b"b", b"b"], given) == {0, 1}
    with pytest.raises(StageError, match="there are no training pictures of dog"):
        cut(given, left_out=(0, 1))


def test_a_set_without_a_test_picture_is_refused():
    with pytest.raises(StageError, match="give each class at least three pictures"):
        cut(sources("cat", "dog"))
