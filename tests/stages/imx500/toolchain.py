"""Runs the stages with Sony's tools on a small network, and prints what they made, as JSON.

    ENVIRONMENT/bin/python toolchain.py FOLDER KIND

KIND: whole, unsupported or large: what the network has.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from engine.stage import StageError
from stages.imx500.compile import compile
from stages.imx500.infer import infer
from stages.imx500.memory import memory
from stages.imx500.quantise import quantise
from stages.tflite import outputs as raw_outputs
from stages.tflite import part
from stages.tflite.by_tensorflow import outputs_of
from stages.tflite.tensor import Tensor

SIZE, CLASSES, PICTURES = 32, 4, 24
LARGE = 3000  # units of two layers, whose weights alone need more than the chip has


OUTPUTS = {"scores": Tensor("scores", (1, CLASSES), "float32")}


def network(kind):
    layers = tf.keras.layers
    seen = tf.keras.Input((SIZE, SIZE, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, -1, name="scaled")(seen)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    if kind == "unsupported":
        x = layers.UnitNormalization(name="unit")(x)
    for _ in range(2 if kind == "large" else 0):
        x = layers.Dense(LARGE)(x)
    return tf.keras.Model(seen, layers.Softmax(name="scores")(layers.Dense(CLASSES)(x)))


def save(model, folder):
    """Write the trained network, and the packaged float model."""
    (folder / "trained").mkdir()
    (folder / "trained/architecture.json").write_text(model.to_json())
    for at, weights in enumerate(model.get_weights()):
        np.save(folder / f"trained/weights_{at:03}.npy", weights)
    (folder / "models/model").mkdir(parents=True)
    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (folder / "models/model/float.tflite").write_bytes(converted)


def answered(folder, pictures):
    """Write what the packaged model answers, as the stages reference and infer do."""
    found = outputs_of(folder / "models/model/float.tflite", pictures)
    raw = {"scores": next(iter(found.values()))}
    about = {"role": "model", "runtime": "TensorFlow", "machine": "x86_64", "model_sha256": "0"}
    for name in ("made", "reference/float"):
        raw_outputs.write(folder / name, raw, SimpleNamespace(outputs=OUTPUTS), about)
    return raw["scores"]


def main(folder, kind):
    tf.keras.utils.set_random_seed(0)
    model = network(kind)
    save(model, folder)
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, SIZE, SIZE, 3)).astype(np.uint8)
    part.write(folder / "data", {"picture": pictures})
    result = {"error": None}
    try:
        result["quantise"] = quantise(
            folder / "quantised",
            model=folder / "trained",
            train=folder / "data",
            models=folder / "models",
            task="classify",
        )
        result["memory"] = memory(folder / "quantised", folder / "report.json")
        result["report"] = json.loads((folder / "report.json").read_text())
        if kind == "whole":
            result |= finished(folder, pictures)
    except StageError as error:
        result["error"] = str(error)
    sys.stdout.write(json.dumps(result) + "\n")


def finished(folder, pictures):
    expected = answered(folder, pictures)
    compiled = compile(
        folder / "models",
        folder / "quantised",
        folder / "report.json",
        folder / "compiled",
        folder / "log.json",
    )
    inferred = infer(
        folder / "data", folder / "quantised", folder / "made", folder / "reference", folder / "out"
    )
    found = raw_outputs.read(folder / "out")
    (values,) = found.values().values()
    return {
        "compile": compiled,
        "files": sorted(path.name for path in (folder / "compiled/model").iterdir()),
        "tensors": json.loads((folder / "compiled/model/imx500.json").read_text()),
        "log": json.loads((folder / "log.json").read_text()),
        "infer": inferred,
        "about": found.about,
        "difference": float(np.abs(values - expected).max()),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
