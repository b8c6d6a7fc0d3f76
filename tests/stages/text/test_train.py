"""The train stage on a few made sentences: it learns them, and the same seed gives the same bytes.

Each training is a process of its own, as the engine's jobs are: TensorFlow's number of threads can be set only
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

from tests.stages.text import made

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
SMALL = {"hidden": 16, "epochs": 2, "threads": 1}
TRAIN = """
import json, os, sys
from pathlib import Path
from engine import stage
from engine.stage import StageError
folder, name, params, stop = json.loads(sys.argv[1])
stage._checkpoint = Path("checkpoint-" + name)
stage._checkpoint.mkdir(exist_ok=True)
from stages.text import _course
from stages.text.train import train
def metric(name, value, step):
    if name == "loss" and step == stop:
        os._exit(9)
_course.metric = metric
try:
    said = train(Path(folder) / "train", Path(name), Path(name + ".json"), **params)
except StageError as error:
    said = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def train(data):
    """Train into a folder of this name, and return what the stage answers; stop: it is killed after that epoch."""

    def run(name, stop=0, folder=data, **params):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                TRAIN,
                json.dumps([str(folder), name, {**SMALL, **params}, stop]),
            ],
            cwd=data,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
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
    train("killed", stop=3)  # while the network is trained again
    assert train("killed") == said
    assert _written(data / "killed") == _written(data / "whole")
    assert (data / "killed.json").read_text() == (data / "whole.json").read_text()


@pytest.fixture(scope="module")
def learnt(train, data):
    """The metrics of a network that learnt the sentences; it is in the folder `learnt`."""
    return train("learnt", epochs=6)


def test_it_learns_sentences_in_several_languages(learnt, data):
    assert learnt["val_accuracy"] > 0.9
    assert learnt["val_int8_accuracy"] > 0.9
    decision = json.loads((data / "learnt.json").read_text())["decision"]
    assert decision["threshold"] == learnt["threshold"]


def test_the_network_takes_unscaled_features(learnt, data):
    """The saved weights include the scale with which training worked."""
    from stages.tflite import part

    kernel, bias, last, end = (np.load(data / "learnt" / f"weights_{at:03}.npy") for at in range(4))
    vectors = part.read(data / "test").tensors["sentence"].astype(np.float32)
    logits = np.maximum(vectors @ kernel + bias, 0) @ last + end
    truth = np.load(data / "test" / "truth_intent.npy")
    assert (logits.argmax(1) == truth)[truth >= 0].mean() > 0.9


def test_only_a_refit_network_learns_the_validation_sentences(train, data, learnt):
    assert train("held", epochs=6, refit=False) == learnt
    assert (data / "held.json").read_text() == (data / "learnt.json").read_text()
    assert _written(data / "held") != _written(data / "learnt")


def test_without_validation_the_training_sentences_are_judged(train, tmp_path):
    folder = made.write(tmp_path / "few", outside=(), validation=False)
    assert train("few", folder=folder, epochs=6)["val_accuracy"] > 0.9


def test_a_single_intent_is_refused(train, tmp_path):
    folder = made.write(tmp_path / "one")
    for path in (folder / "train", folder / "train/validation"):
        (path / "labels.txt").write_text("greet\n")
        intents = np.load(path / "truth_intent.npy")
        np.save(path / "truth_intent.npy", np.minimum(intents, 0))
    assert "fewer than two intents" in train("one", folder=folder)
