"""Small networks as published `.tflite` files, float or int8, with random weights."""

from pathlib import Path

import numpy as np

SIDE = 32


def pictures(count=4, seed=1):
    """Return pixels (count, SIDE, SIDE, 3), uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def convolutions():
    """Return a Keras network with every layer that the camera's compiler and TFLite have in common."""
    from keras import Model, Sequential, layers

    x = inputs = layers.Input((SIDE, SIDE, 3), name="picture")
    x = layers.Rescaling(1 / 64, -2.0)(x)
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3, 2, "same")(x))
    low = layers.Conv2D(8, 1, activation="relu")(layers.DepthwiseConv2D(3, padding="same")(x))
    deep = layers.DepthwiseConv2D(3, 2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(low))
    deep = layers.Conv2D(8, 3, padding="same", dilation_rate=2, activation="tanh")(deep)
    joined = layers.Add()([low, layers.UpSampling2D(2, interpolation="bilinear")(deep)])
    # UpSampling2D itself becomes TILE in TFLite
    nearest = layers.Resizing(SIDE // 2, SIDE // 2, "nearest")(layers.MaxPooling2D(2)(joined))
    wide = layers.Conv2DTranspose(4, 3, 2, "same")(layers.AveragePooling2D(2)(joined))
    every = layers.Concatenate()([joined, nearest, wide])
    scores = layers.Dense(5, activation="softmax", name="scores")(
        layers.GlobalAveragePooling2D()(every)
    )
    grid = Sequential([layers.Conv2D(2, 1), layers.Reshape((-1, 2))])(every)
    model = Model(inputs, [scores, layers.Activation("sigmoid", name="grid")(grid)])
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.3, one.shape) for one in model.get_weights()])
    return model


def written(model, path: Path, quantised=False) -> Path:
    """Write a Keras network as TFLite with a batch of one."""
    import tensorflow as tf
    from keras.export import ExportArchive

    archive = ExportArchive()
    archive.track(model)
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="picture")
    archive.add_endpoint("serve", lambda picture: model(picture, training=False), [spec])
    archive.write_out(path.with_suffix(""), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(path.with_suffix("")))
    if quantised:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        examples = pictures(64).astype(np.float32)
        converter.representative_dataset = lambda: ([one[None]] for one in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    path.write_bytes(converter.convert())
    return path


def ending_in_a_decoder(path: Path) -> Path:
    """Write a network whose last operators find the best cell: its heads are the camera's outputs."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    body, head, offset = (
        random.normal(0, 0.3, shape).astype(np.float32)
        for shape in ((3, 3, 3, 8), (1, 1, 8, 1), (1, 1, 8, 2))
    )

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3), tf.uint8)])
    def call(picture):
        x = tf.cast(picture, tf.float32) - [[[[100.0, 110.0, 120.0]]]]
        x = tf.nn.relu(tf.nn.conv2d(x / 64.0 - 0.5, body, 2, "SAME"))
        with tf.name_scope("centre"):
            heat = tf.sigmoid(tf.nn.conv2d(x, head, 1, "SAME"))
        with tf.name_scope("offset"):
            moves = tf.nn.conv2d(x, offset, 1, "SAME")
        best = tf.argmax(tf.reshape(heat, (1, -1)), 1)
        return tf.gather(tf.reshape(moves, (-1, 2)), best)

    concrete = call.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    path.write_bytes(converter.convert())
    return path
