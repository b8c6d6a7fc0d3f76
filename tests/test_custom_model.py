"""A user's own data.py and model.py, from the folder to a verified package that answers new rows."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
HERE = ("stage_packages=[stages]", "usecase=custom_model", "target=rpi4_coral", "executor=local")
PICTURES = """
import numpy as np
from shapes import NAMES, shape
def get_data():
    chance = np.random.default_rng(0)
    y = chance.integers(0, 3, 500)
    x = np.stack([shape(at, chance) for at in y])
    names = np.array(NAMES)[y]
    return (x[:400], names[:400]), (x[400:], names[400:])
"""
SHAPES = """
import numpy as np
NAMES = ["low", "middle", "top"]
def shape(at, chance):
    picture = chance.integers(0, 90, (12, 12, 1)).astype(np.uint8)
    picture[4 * (2 - at) : 4 * (3 - at)] += 120
    return picture
"""
NETWORK = """
import keras
from data import get_data
def model(input_shape, classes, units: int = 8):
    scale = keras.layers.Normalization(axis=None)
    scale.adapt(get_data()[0][0])
    layers = [
        keras.Input(input_shape),
        scale,
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(units, activation="relu"),
        keras.layers.Dense(classes, activation="softmax"),
    ]
    made = keras.Sequential(layers)
    made.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return made
"""


def _predicted(project, *words):
    said = project.run("predict", *HERE, *words, "format=jsonl")
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_the_example_becomes_a_package_that_answers_rows(project):
    folder = project.path / "mine"
    shutil.copytree(ROOT / "usecases" / "custom_model", folder)
    own = f"assets.algorithm={folder}"
    state = project.done(*HERE, own, "params.model.trees=50")
    metrics = {name: stage.metrics for name, stage in state.stages.items()}
    assert metrics["train"]["is_exact"] == metrics["verify"]["agreement"] == 1
    assert metrics["score"]["accuracy"] >= 0.92
    assert metrics["infer"]["reference_bit_equal"] == 1
    raw = project.last / "artifacts" / "dataset" / "test" / "raw"
    rows = _predicted(project, f"input={raw / '03.csv'}")
    golden = json.loads((project.last / "artifacts/verify/golden/answers.json").read_text())
    assert [row["value"] for row in rows] == [golden["answers"]["03.csv"][0]["value"]]
    assert golden["ran_on"].startswith("numpy")

    (folder / "model.py").write_text((folder / "model.py").read_text() + "# changed\n")
    again = project.done(*HERE, own, "params.model.trees=50")
    assert not again.stages["train"].cached and again.stages["quantise"].cached


def test_a_keras_model_for_pictures_is_trained_quantised_and_packed(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    folder = project.path / "mine"
    folder.mkdir()
    for name, source in (("data", PICTURES), ("shapes", SHAPES), ("model", NETWORK)):
        (folder / f"{name}.py").write_text(source)
    own = f"assets.algorithm={folder}"
    state = project.done(*HERE, own, "params.model.units=16", "params.epochs=8")
    metrics = {name: stage.metrics for name, stage in state.stages.items()}
    assert metrics["score"]["accuracy"] >= 0.95 and metrics["score"]["accuracy_drop"] <= 0.02
    assert metrics["train"]["is_exact"] == 0 and metrics["edgetpu_report"]["edgetpu_op_ratio"] > 0.5
    assert metrics["verify"]["agreement"] == 1
    picture = np.zeros((12, 12, 1), np.uint8)
    picture[:4] = 200
    np.save(project.path / "new.npy", picture)
    [row] = _predicted(project, f"input={project.path / 'new.npy'}")
    assert row["value"] == "top"
