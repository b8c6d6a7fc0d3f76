"""`usecase=export` with real networks of the mirror, in each supported format: from the file to a package that
the target has verified.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[2] / "shared/mirror"))
WEIGHTS = MIRROR / "models/keras/mobilenet_2_5_224_tf_no_top.h5"
READY = MIRROR / "models/mobilenet_v1_0.25_128_quant.tflite"
PICTURES = MIRROR / "imagenet_samples"
MAKE = """
import sys
import keras
weights, folder = sys.argv[1:]
net = keras.applications.MobileNet(
    input_shape=(96, 96, 3), alpha=0.25, include_top=False, pooling="avg", weights=weights
)
net.save(folder + "/model.keras")
net.export(folder + "/saved", verbose=False)
"""

pytestmark = [
    pytest.mark.mirror,
    pytest.mark.skipif(
        not (WEIGHTS.is_file() and READY.is_file() and PICTURES.is_dir()),
        reason="RPI_MLOPS_MIRROR names no folder with MobileNet and pictures",
    ),
]


@pytest.fixture
def export(project):
    """Export a model with 20 pictures, and return the run's state and the manifest of its package."""
    pictures = project.path / "pictures"
    pictures.mkdir()
    for path in sorted(PICTURES.glob("*.jpg"))[:20]:
        shutil.copy(path, pictures)

    def run(model, *words):
        stages = ("stage_packages=[stages]", "usecase=export", "target=x86_64")
        given = (f"model={model}", f"assets.examples={pictures}")
        state = project.done(*stages, *given, *words)
        package = project.last / "artifacts" / "package" / "package"
        return state, json.loads((package / "manifest.json").read_text())

    return run


@pytest.mark.parametrize("name", ["model.keras", "saved"])
def test_a_network_of_keras_is_quantised_packed_and_verified(export, tmp_path, name):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    make = [sys.executable, "-c", MAKE, WEIGHTS, tmp_path]
    subprocess.run(make, check=True, env=environment, capture_output=True)
    pixels = ("params.mean=127.5", "params.deviation=127.5")
    state, manifest = export(tmp_path / name, *pixels)
    assert manifest["models"]["model"]["int8"] == "models/model/int8.tflite"
    assert state.stages["quantise"].metrics["float_tensors"] == 0
    assert 0.9 <= state.stages["score"].metrics["r2"] < 1
    assert state.stages["verify"].metrics["agreement"] == 1


def test_a_tflite_model_that_is_quantised_is_packed_as_it_is(export):
    state, manifest = export(READY)
    forms = manifest["models"]["model"]
    assert manifest["files"][forms["int8"]]["bytes"] == READY.stat().st_size
    assert state.stages["score"].metrics["r2"] == state.stages["score"].metrics["same_highest"] == 1
    assert state.stages["verify"].metrics["agreement"] == 1
