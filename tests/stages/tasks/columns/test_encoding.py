"""The model's input: the share of each bin below a number, and a component for each category."""

import hashlib

import numpy as np
import pytest

from stages.tasks.columns.column import Feature
from stages.tasks.columns.encoding import CHUNK, Encoder

NAN = float("nan")
FEATURES = (
    Feature("n", edges=(0.0, 1.0, 3.0), median=2.0, has_missing=True),
    Feature("c", categories=("a", "b"), has_other=True),
    Feature("m", edges=(-1.0, 1.0), median=0.0),
)


@pytest.mark.parametrize(
    ("values", "vector"),
    [
        ((0.0, 0, -1.0), [0, 0, 0, 255, 0, 0, 0]),
        ((0.5, 1, 1.0), [128, 0, 0, 0, 255, 0, 255]),
        ((2.0, 2, 0.0), [255, 128, 0, 0, 0, 255, 128]),
        ((9.0, NAN, 5.0), [255, 255, 0, 0, 0, 0, 255]),  # beyond the range, and no category
        (
            (NAN, 0, NAN),
            [255, 128, 255, 255, 0, 0, 128],
        ),  # medians, and that the first one is missing
    ],
)
def test_each_value_has_its_components(values, vector):
    assert Encoder(FEATURES).encode(np.array([values])).tolist() == [vector]


def test_rows_are_encoded_alike_alone_and_in_many():
    values = np.random.default_rng(0).normal(0, 2, (CHUNK + 5, 3))
    values[:, 1] = np.arange(len(values)) % 3
    encoder = Encoder(FEATURES)
    whole = encoder.encode(values)
    assert (whole[[0, CHUNK, -1]] == encoder.encode(values[[0, CHUNK, -1]])).all()


def test_a_feature_with_one_edge_has_no_component():
    encoder = Encoder([Feature("n", edges=(3.0,))])
    assert encoder.size == 0 and encoder.encode(np.array([[1.0]])).shape == (1, 0)


def test_the_bytes_are_those_of_every_processor():
    """Recorded on x86_64; arm64 and armv7 must give the same."""
    edges = tuple(np.cumsum([0.1 + (at * 7919 % 101) / 977 for at in range(33)]).tolist())
    feature = Feature("n", edges=edges, median=1.0)
    values = np.array([[(at * 104729 % 1299709) / 250007.0] for at in range(20000)])
    vectors = Encoder([feature]).encode(values)
    found = hashlib.sha256(vectors.tobytes()).hexdigest()
    assert found == ("4ec2cc645f31f1ab12162a0648034fe2fcb2fd4320d88e2ac32d1c549b0ca84e")
