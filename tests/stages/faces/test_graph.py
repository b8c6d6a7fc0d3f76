"""A published network as data: it computes what the file computes."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tflite.model import open_model
from tests.stages.faces import blazeface_like

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return blazeface_like.write(tmp_path_factory.mktemp("published") / "blazeface.tflite")


def test_it_gives_the_answers_of_the_file(published):
    from stages.faces import _graph

    picture = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    model, graph = open_model(published), _graph.read(published)
    expected = model.predict({next(iter(model.inputs)): picture})
    tensors = _graph.run(graph, picture)
    assert graph.results.keys() == expected.keys()
    for name, place in graph.results.items():
        np.testing.assert_allclose(tensors[place], expected[name], rtol=1e-4, atol=1e-4)


def test_an_operator_that_blazeface_lacks_is_named(tmp_path):
    import tensorflow as tf

    from stages.faces import _graph

    call = tf.function(tf.sigmoid, input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()])
    (tmp_path / "other.tflite").write_bytes(converter.convert())
    with pytest.raises(
        StageError, match=r"other\.tflite has the operator LOGISTIC, which BlazeFace"
    ):
        _graph.read(tmp_path / "other.tflite")
