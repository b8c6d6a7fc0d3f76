"""The train stage on a few made pictures: deterministic, also after a kill, and it keeps the best epoch.

Each fixture is a process of its own, as the engine's jobs are: TensorFlow's number of threads can be set only
once.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.tflite import part
from stages.vision.dataset import dataset
from stages.vision.picture_sample import picture_sample

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
SMALL = {"backbone": "small", "alpha": 0.5, "epochs": 3, "batch_size": 8, "threads": 1}
TRAIN = """
import json, os, sys
from pathlib import Path
from engine import stage
from engine.stage import StageError
folder, name, params, stop = json.loads(sys.argv[1])
stage._checkpoint = Path("checkpoint-" + name)
stage._checkpoint.mkdir(exist_ok=True)
from stages.training import course
from stages.vision.train import train
weights = params.pop("weights", None)
def metric(name, value, step):
    if name == "val_accuracy" and step == stop:
        os._exit(9)
course.metric = metric
try:
    said = train(Path(folder) / "train", Path(name), Path(name + ".json"), weights and Path(weights), **params)
except StageError as error:
    said = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset of 24 pictures to train on."""
    folder = tmp_path_factory.mktemp("vision")
    picture_sample(folder / "pictures", each=10, side=48)
    here = Path.cwd()
    os.chdir(folder)
    dataset(folder / "pictures", folder / "train", folder / "test", size=32)
    os.chdir(here)
    return folder


@pytest.fixture(scope="module")
def train(data):
    """Train into a folder of this name, and return what the stage answers; stop: it is killed in that epoch."""

    def run(name, stop=0, **params):
        wanted = json.dumps([str(data), name, {**SMALL, **params}, stop])
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, wanted],
            cwd=data,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == (9 if stop else 0), done.stderr
        return json.loads(done.stdout.splitlines()[-1]) if not stop else None

    return run


def _written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_also_after_a_kill(train, data):
    said = train("whole")
    train("killed", stop=2)
    assert train("killed") == said
    assert _written(data / "killed") == _written(data / "whole")
    assert _written(data / "whole")["architecture.json"]
    assert 0 < json.loads((data / "whole.json").read_text())["threshold"] < 1


@pytest.fixture(scope="module")
def backbone(data):
    """Weights of a backbone with random kernels, which gains from being trained."""
    import keras

    keras.utils.set_random_seed(1)
    body = keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    )
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # without the pictures' statistics, the features would be almost 0
    pictures = part.read(data / "train").tensors["picture"]
    body(pictures.astype(np.float32) / 127.5 - 1, training=True)
    body.save_weights(data / "ready.weights.h5")
    return data / "ready.weights.h5"


def test_training_from_ready_weights_gives_the_same_bytes_after_a_kill(train, data, backbone):
    ready = {
        "backbone": "mobilenet_v1",
        "alpha": 0.25,
        "weights": str(backbone),
        "epochs": 2,
        "tuned_share": 0.5,
        "tuning_rate": 1e-3,
        "qat_epochs": 0,
    }
    said = train("ready", **ready)
    assert said["best_epoch"] == 1  # of the second phase; 0 is the fitted last layer
    train("ready_killed", stop=2, **ready)
    assert train("ready_killed", **ready) == said
    written = _written(data / "ready")
    assert _written(data / "ready_killed") == written


def test_training_ends_when_validation_no_longer_improves(train):
    said = train("stalled", epochs=30, learning_rate=1.0, patience=1)
    assert said["best_epoch"] < 30


def test_weights_of_another_network_are_refused(train, data):
    import h5py

    with h5py.File(data / "other.h5", "w") as file:
        file.attrs["layer_names"] = ["dense"]
        file.create_group("dense").attrs["weight_names"] = []
    said = train("wrong", backbone="mobilenet_v1", alpha=0.25, weights=str(data / "other.h5"))
    assert said.startswith(
        "the file has no weights for mobilenet_v1 with alpha 0.25 without its top"
    )
