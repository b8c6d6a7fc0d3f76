"""Networks whose tensors need fewer levels, with the same answers."""

import numpy as np
import pytest

from stages.tasks.blazeface import BOXES, SCORES
from tests.stages.faces import blazeface_like

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    from stages.faces import _graph

    return _graph.read(blazeface_like.write(tmp_path_factory.mktemp("net") / "blazeface.tflite"))


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).uniform(-1, 1, (3, 128, 128, 3)).astype(np.float32)


def _answers(graph, pictures):
    from stages.faces import _graph

    tensors = _graph.run(graph, pictures)
    return {name: np.asarray(tensors[place]) for name, place in graph.results.items()}


def _spread(graph, pictures):
    """The range of the widest channel of the depthwise convolution, relative to the median."""
    from stages.faces import _graph

    (step,) = [one for one in graph.steps if one.kind == _graph.DEPTHWISE]
    reach = np.abs(_graph.run(graph, pictures)[step.result]).max((0, 1, 2))
    return reach.max() / np.median(reach)


def test_equalised_channels_give_the_same_answers_with_similar_ranges(graph, pictures):
    from stages.faces import _rescaled

    equal = _rescaled.equalised(graph, pictures)
    before, after = _answers(graph, pictures), _answers(equal, pictures)
    for name in (BOXES, SCORES):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-3, atol=1e-2)
    assert _spread(graph, pictures) > 30 and _spread(equal, pictures) < 15


def test_only_values_below_the_floor_change(graph, pictures):
    from stages.faces import _rescaled

    before = _answers(graph, pictures)
    after = _answers(_rescaled.floored(graph, SCORES, -8), pictures)
    assert before[SCORES].min() < -20
    np.testing.assert_allclose(after[SCORES], np.maximum(before[SCORES], -8), atol=1e-4)
    np.testing.assert_array_equal(after[BOXES], before[BOXES])
