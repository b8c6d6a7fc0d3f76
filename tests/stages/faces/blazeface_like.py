"""A network with BlazeFace's operators and outputs, and random weights."""

from pathlib import Path

import numpy as np
import pytest

from stages.tasks.blazeface import BOXES, SCORES

SIDE = 128
WIDE = 100  # how much wider the range of one channel is than that of the others


def write(path: Path, seed: int = 0) -> Path:
    """Write a float `.tflite` file: two grids of anchors, a residual block with padded channels."""
    tf = pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    random = np.random.default_rng(seed)

    def kernel(*shape):  # type: ignore[no-untyped-def]
        return random.normal(0, 0.3, shape).astype(np.float32)

    first, head = kernel(5, 5, 3, 8), kernel(1, 1, 8, 12)
    depthwise = kernel(3, 3, 8, 1) * np.array([WIDE, *[1] * 7], np.float32)[:, None]
    scores, values = ([kernel(1, 1, 12, each * size) for each in (2, 6)] for size in (1, 16))

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32)])
    def call(picture):  # type: ignore[no-untyped-def]
        x = tf.nn.relu(tf.nn.conv2d(picture, first, 8, "SAME") + 0.1)
        y = tf.nn.conv2d(
            tf.nn.depthwise_conv2d(x, depthwise, (1, 1, 1, 1), "SAME"), head, 1, "SAME"
        )
        grids = [tf.nn.relu(y + tf.pad(x, ((0, 0), (0, 0), (0, 0), (0, 4))))]
        grids.append(tf.nn.max_pool2d(grids[0], 2, 2, "VALID"))

        def joined(kernels, size):  # type: ignore[no-untyped-def]
            made = [tf.nn.conv2d(*one, 1, "SAME") for one in zip(grids, kernels, strict=True)]
            return tf.concat([tf.reshape(one, (1, -1, size)) for one in made], 1)

        return {SCORES: joined(scores, 1), BOXES: joined(values, 16)}

    module = tf.Module()
    module.call = call
    concrete = call.get_concrete_function()
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert())
    return path
