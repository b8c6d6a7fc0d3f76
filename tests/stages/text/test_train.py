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

from stages.tasks.text.decision import Decision, Judged
from stages.tflite import part
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
    assert learnt["val_accuracy"] > 0.8
    decision = json.loads((data / "learnt.json").read_text())["decision"]
    assert decision["threshold"] == learnt["threshold"]


def _judged(data: Path, name: str, test: Path) -> tuple[Judged, "np.ndarray"]:
    """Return what a saved network, with numpy alone, says about the test sentences in scope, and the truth."""
    kernel, bias, last, end = (np.load(data / name / f"weights_{at:03}.npy") for at in range(4))
    vectors = part.read(test).tensors["sentence"].astype(np.float32)
    truth = np.load(test / "truth_intent.npy")
    logits = np.maximum(vectors @ kernel + bias, 0) @ last + end
    decision = Decision.of(json.loads((data / f"{name}.json").read_text()))
    return decision.judge(logits[truth >= 0]), truth[truth >= 0]


def test_the_network_takes_unscaled_features(learnt, data):
    """The saved weights include the scale with which training worked."""
    judged, truth = _judged(data, "learnt", data / "test")
    assert (judged.probabilities.argmax(1) == truth).mean() > 0.9


def test_most_sentences_are_answered_although_few_could_set_the_threshold(train, data, tmp_path):
    """Sentences that a network has learnt would set a threshold that few others reach."""
    folder = made.write(tmp_path / "few", outside=(), validation=False)
    threshold = train("few", folder=folder, epochs=6)["threshold"]
    judged, _ = _judged(data, "few", folder / "test")
    assert (judged.confidence >= threshold).mean() > 0.7


def test_enough_validation_sentences_are_judged_by_a_network_that_has_not_learnt_them(
    train, data, tmp_path
):
    folder = made.write(tmp_path / "many", repeated=5)
    held = train("held", folder=folder, refit=False)
    assert train("refit", folder=folder) == held  # the figures are those before the second training
    assert _written(data / "held") != _written(data / "refit")


def test_a_single_intent_is_refused(train, tmp_path):
    folder = made.write(tmp_path / "one")
    intents = np.load(folder / "train" / "truth_intent.npy")
    np.save(folder / "train" / "truth_intent.npy", np.minimum(intents, 0))
    assert "the training sentences have 1 intents" in train("one", folder=folder)
