"""The head that is fitted to people's own embeddings: it removes what changes within a person."""

import numpy as np
import pytest

from stages.faces import _adaptation, _rates
from stages.tasks.head import unit_length


@pytest.fixture
def faces():
    """Embeddings (240, 16) of 30 people whose pictures differ mostly in two directions."""
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 8)
    within = random.normal(0, 0.05, (240, 16))
    within[:, :2] += random.normal(0, 1.5, (240, 2))
    return (random.normal(0, 1, (30, 16))[people] + within).astype(np.float32), people


def _error(embeddings, people):
    return _rates.Pairs(unit_length(embeddings), people).equal_error()


def test_people_who_were_not_seen_are_told_apart_better(faces):
    embeddings, people = faces
    is_seen = people < 15
    head = _adaptation.fit(embeddings[is_seen], people[is_seen], 0.4)
    held, of = embeddings[~is_seen], people[~is_seen]
    assert _error(head.apply(held), of) < _error(held, of) / 1.5


def test_a_share_of_nothing_changes_nothing(faces):
    embeddings, people = faces
    changed = _adaptation.fit(embeddings, people, 0.0).apply(embeddings)
    np.testing.assert_allclose(changed, embeddings, atol=1e-5)


def test_the_covariance_within_people_becomes_white(faces):
    embeddings, people = faces
    changed = _adaptation.fit(embeddings, people, 1.0 - 1e-6).apply(embeddings)
    around = np.concatenate(
        [changed[people == one] - changed[people == one].mean(0) for one in range(30)]
    )
    sizes = np.linalg.svd(around, compute_uv=False)
    assert sizes[0] / sizes[-1] < 1.2


def test_the_share_is_chosen_by_people_who_were_not_seen(faces):
    embeddings, people = faces
    assert _adaptation.best(embeddings, people, seed=0) == max(_adaptation.SHARES)
    noise = np.random.default_rng(1).normal(0, 1, (40, 8)).astype(np.float32)
    assert _adaptation.best(noise, np.repeat(np.arange(20), 2), seed=0) in _adaptation.SHARES
