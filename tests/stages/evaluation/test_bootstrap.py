"""Intervals by bootstrap: known ones are reproduced, groups count as units, and the seed determines them."""

import numpy as np
import pytest

from stages.evaluation import bootstrap


def test_the_interval_of_a_mean_is_about_that_of_the_normal_distribution():
    x = np.random.default_rng(1).normal(10, 2, 400)
    low, high = bootstrap.interval(lambda w: w @ x / w.sum(1), range(400))
    half = 1.96 * x.std() / 20
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.05)


def test_the_interval_of_a_share_is_about_the_binomial_one():
    low, high = bootstrap.share_interval([True] * 80 + [False] * 20, range(100))
    assert (low, high) == pytest.approx((0.72, 0.88), abs=0.015)


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    x = np.random.default_rng(1).normal(size=90)

    def mean(weights):
        return weights @ x / weights.sum(1)

    first = bootstrap.interval(mean, range(90))
    assert first == bootstrap.interval(mean, range(90))
    assert first != bootstrap.interval(mean, range(90), seed=1)


def test_groups_of_like_examples_give_a_wider_interval_than_single_examples():
    hits, people = np.repeat([1, 1, 0, 1, 0, 1], 50), np.repeat(np.arange(6), 50)
    low, high = bootstrap.share_interval(hits, people)
    single_low, single_high = bootstrap.share_interval(hits, range(300))
    assert high - low > 3 * (single_high - single_low)


@pytest.mark.parametrize(
    ("hit", "ends"), [(True, (0.8916, 1.0)), (False, (0.0, 0.1084))], ids=["all", "none"]
)
def test_a_share_without_exceptions_has_the_exact_bound(hit, ends):
    assert bootstrap.share_interval([hit] * 32, range(32)) == pytest.approx(ends, abs=1e-3)


def test_draws_are_made_in_chunks_when_there_are_many_examples(monkeypatch):
    sizes = []

    def mean(weights):
        sizes.append(weights.shape)
        return weights.mean(1)

    monkeypatch.setattr(bootstrap, "_MOST_CELLS", 900 * 10)
    assert bootstrap.interval(mean, range(10)) == (1.0, 1.0)
    assert sizes == [(900, 10), (900, 10), (200, 10)]


@pytest.mark.parametrize(
    ("people", "kind"),
    [
        (None, "clips"),
        (["ann", "bob", "ann", "bob", "ann", "bob"], "clips"),  # two people say little of others
        (["a", "b", "c", "d", "e", None], "clips"),
        (["a", "b", "c", "d", "e", "a"], "people"),
    ],
)
def test_people_are_the_groups_if_enough_of_them_are_known(people, kind):
    groups, found = bootstrap.groups_of(6, people)
    assert found == kind and len(groups) == 6
