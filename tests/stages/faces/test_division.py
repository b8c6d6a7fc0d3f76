"""Which faces are enrolled, validate and test: by person, and never a near-duplicate twice."""

import numpy as np

from stages.faces._division import divide


def _divided(people, group=None, enrolled=1, val_share=0.5):
    group = np.arange(len(people)) if group is None else np.int64(group)
    return divide(people, group, enrolled, val_share, seed=0)


def test_the_first_pictures_of_each_person_are_enrolled():
    parts = _divided(["ann"] * 4 + ["bob"] * 4, enrolled=2)
    assert parts["gallery"] == [0, 1, 4, 5]


def test_at_least_half_of_a_persons_pictures_stay_for_tests():
    parts = _divided(["ann"] * 4 + ["bob"], enrolled=9)
    assert parts["gallery"] == [0, 1, 4]  # a single picture is enrolled, and cannot be tested


def test_nobody_validates_and_tests():
    people = [f"p{at}" for at in range(10) for _ in range(3)]
    parts = _divided(people)
    validating, testing = ({people[at] for at in parts[name]} for name in ("val", "test"))
    assert len(validating) == len(testing) == 5 and not validating & testing


def test_people_who_fine_tune_neither_validate_nor_test():
    people = [f"p{at}" for at in range(10) for _ in range(3)]
    parts = divide(people, np.arange(30), 1, 0.3, seed=0, train_share=0.3)
    owners = {name: {people[at] for at in parts[name]} for name in ("val", "train", "test")}
    assert [len(owners[name]) for name in ("val", "train", "test")] == [3, 3, 4]
    assert len(set.union(*owners.values())) == 10


def test_near_duplicates_of_an_earlier_face_are_left_out():
    parts = _divided(["ann", "ann", "ann", "bob", "bob"], [0, 0, 2, 3, 4], val_share=0)
    assert (parts["repeated"], parts["test"]) == ([1], [2, 4])


def test_a_face_in_two_peoples_folders_is_nobodys():
    parts = _divided(["ann", "ann", "bob", "bob"], [0, 1, 1, 3], val_share=0)
    assert (parts["ambiguous"], parts["gallery"]) == ([1, 2], [0, 3])
