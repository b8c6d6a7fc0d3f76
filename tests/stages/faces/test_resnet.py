"""dlib's network in Keras: from weights to an embedding."""

import json

import numpy as np
import pytest

from stages.faces import _resnet, _weights


def _convolutions():
    """The name, kernel size and channels of each convolution."""
    yield "conv32_down", 7, 3, 32
    before = 32
    for channels, blocks in ((32, ("1", "2", "3")), (64, ("down", *"123")), (128, ("down", *"12"))):
        for block in blocks:
            yield f"conv{channels}_{block}/conv1", 3, before, channels
            yield f"conv{channels}_{block}/conv2", 3, channels, channels
            before = channels
    for block in ("down", "1", "2", "down_out"):
        yield f"conv256_{block}/conv1", 3, before, 256
        yield f"conv256_{block}/conv2", 3, 256, 256
        before = 256


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights in the published form: kernels with 8 bits, the rest float."""
    folder, entries, data = tmp_path_factory.mktemp("weights"), [], b""
    random = np.random.default_rng(0)
    for name, side, inside, outside in _convolutions():
        shape = side, side, inside, outside
        deviation = 2 / (side * side * inside) ** 0.5
        how = {"dtype": "uint8", "scale": 4 * deviation / 255, "min": -2 * deviation}
        entries.append({"name": f"{name}/conv/filters", "shape": shape, "quantization": how})
        data += random.integers(0, 256, shape, np.uint8).tobytes()
        for kind, value in (("conv/bias", 0), ("scale/weights", 0.7), ("scale/biases", 0.01)):
            entries.append({"name": f"{name}/{kind}", "shape": [outside]})
            data += np.full(outside, value, np.float32).tobytes()
    entries.append({"name": "fc", "shape": [256, 128]})
    data += random.normal(0, 0.1, (256, 128)).astype(np.float32).tobytes()
    (folder / "manifest.json").write_text(json.dumps([{"weights": entries}]))
    (folder / "weights.bin").write_bytes(data)
    return folder


def test_a_face_becomes_an_embedding(weights):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    network = _resnet.build(_weights.read(weights))
    face = np.random.default_rng(1).uniform(0, 255, (1, 150, 150, 3)).astype(np.float32)
    embedding = np.asarray(network(face))
    assert embedding.shape == (1, 128) and np.isfinite(embedding).all() and embedding.any()
    mean = np.broadcast_to(np.float32(_resnet.MEAN), (1, 150, 150, 3))
    first = network.layers[1]
    np.testing.assert_allclose(np.asarray(first(mean))[0, 0, 0], 0.01, atol=1e-3)  # only the bias
