"""The stage `train` on a few made pictures: deterministic, also after a kill, and it learns.

Each training runs in a separate process, as the engine's jobs are: TensorFlow's number of threads can be set only
once.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.stages.detection import made

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
SMALL = {"backbone": "small", "epochs": 3, "batch_size": 8, "threads": 1}
LEARNING = {"epochs": 80, "patience": 80, "learning_rate": 1e-2, "batch_size": 4, "averaging": 0.9}
TRAIN = """
import json, os, sys
from pathlib import Path
from engine import stage
from engine.stage import StageError
folder, name, params, stop = json.loads(sys.argv[1])
stage._checkpoint = Path("checkpoint-" + name)
stage._checkpoint.mkdir(exist_ok=True)
from stages.detection.training import _rounding
from stages.training import course
from stages.detection.train import train
weights = params.pop("weights", None)
_rounding.MOST_LOST = params.pop("most_lost", 1.0)
steps = [0]
def metric(name, value, step):
    steps.append(step)
    if name == "val_map50" and step == stop:
        os._exit(9)
course.metric = metric
out = Path(name)
out.mkdir(exist_ok=True)
try:
    said = train(Path(folder) / "train", out / "model", out / "decision.json", out / "anchors",
                 weights and Path(weights), **params)
    said = {**said, "epochs_run": max(steps)}
except StageError as error:
    said = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixteen pictures to train on, and eight for validation."""
    folder = tmp_path_factory.mktemp("detection")
    made.write(folder / "train", 16)
    made.write(folder / "train/validation", 8, seed=1)
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
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_also_after_a_kill(train, data):
    said = train("whole")
    train("killed", stop=2)
    assert train("killed") == said
    assert _written(data / "killed") == _written(data / "whole")
    assert said["reproducible"] == 1


def test_a_detector_learns_to_find_squares(train, data):
    said = train("longer", **LEARNING)
    assert said["val_map50"] > 0.5
    assert said["val_int8_map50"] > said["val_map50"] - 0.1
    decision = json.loads((data / "longer/decision.json").read_text())
    assert list(decision["thresholds"]) == made.LABELS
    places = np.load(data / "longer/anchors/anchors.npy")
    assert places.shape == (3 * (8 * 8 + 4 * 4 + 2 * 2), 4)


def test_a_detector_that_loses_in_int8_is_trained_for_it(train):
    plain = train("plain", **LEARNING, qat_epochs=0, most_lost=-1.0)
    tuned = train("tuned", **LEARNING, qat_epochs=2, most_lost=-1.0)
    assert tuned["epochs_run"] > plain["epochs_run"]
    # a few validation pictures: which of the two is better differs between processors
    assert tuned["val_int8_map50"] >= plain["val_int8_map50"] - 0.05


def test_a_bound_in_minutes_ends_the_training_and_is_recorded(train):
    said = train("bounded", epochs=1000, patience=1000, minutes=0.01)
    assert said["best_epoch"] < 1000
    assert said["reproducible"] == 0


def test_weights_of_another_network_are_refused(train, data):
    (data / "other.tflite").write_bytes(b"\0" * 100)
    said = train("wrong", backbone="ssd_mobilenet_v1", weights=str(data / "other.tflite"))
    assert said.startswith("the file has no weights for a COCO SSD of MobileNetV1")
