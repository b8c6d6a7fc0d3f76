"""The train stage on a small table: it learns it, and the same seed gives the same bytes.

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

from stages.tasks.columns.decision import Decision
from stages.tflite import part
from tests.stages.tabular import made

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
SMALL = {"members": 4, "hidden": 8, "second": 4, "epochs": 3, "threads": 1}
PROGRAM = """
import json, os, sys
from pathlib import Path
from engine import stage
folder, name, params, stop = json.loads(sys.argv[1])
stage._checkpoint = Path(folder) / ("checkpoint-" + name)
stage._checkpoint.mkdir(exist_ok=True)
from stages.tabular import _course
from stages.tabular.train import train
metric = _course.metric
def ending(name, value, step):
    if step == stop:
        os._exit(9)
    metric(name, value, step)
_course.metric = ending
out = Path(folder) / name
out.mkdir(exist_ok=True)
print(json.dumps(train(Path(folder) / "train", out / "model", out / "decision.json", **params)))
"""


def _train(folder: Path, name: str, stop: int = 0, **params) -> dict[str, float]:
    """Train into a folder of this name, and return the metrics; stop: it is killed in that epoch."""
    given = json.dumps([str(folder), name, {**SMALL, **params}, stop])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, given],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (9 if stop else 0), done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if not stop else {}


def _written(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.*")}


def _answers(folder: Path, name: str) -> tuple[Decision, "np.ndarray", "np.ndarray"]:
    """Return the decision, and with numpy alone a saved network's logits for the test rows, and the truth."""
    weights = [np.load(one) for one in sorted((folder / name / "model").glob("weights_*.npy"))]
    x = part.read(folder / "test").tensors["row"].astype(np.float64)
    for at in (0, 2):
        x = np.maximum(x @ weights[at] + weights[at + 1], 0)
    decision = Decision.of(json.loads((folder / name / "decision.json").read_text()))
    return decision, x @ weights[4] + weights[5], np.load(folder / "test/truth_target.npy")


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("classes"))


def test_the_same_seed_gives_the_same_bytes_also_after_a_kill(classes):
    said = _train(classes, "whole")
    _train(classes, "killed", stop=3)
    assert _train(classes, "killed") == said
    assert _written(classes / "killed") == _written(classes / "whole")


def test_it_learns_classes_and_takes_rows_as_they_are_encoded(classes):
    said = _train(classes, "learnt", epochs=12, learning_rate=0.02)
    assert said["val_accuracy"] > 0.9 and 1 <= said["epoch"] <= 12
    decision, logits, truth = _answers(classes, "learnt")
    assert (decision.judge(logits).values == truth).mean() > 0.9


def test_it_learns_a_number_as_the_median_of_levels(tmp_path):
    folder = made.write(tmp_path, "regress")
    said = _train(folder, "learnt", epochs=20, members=8, hidden=16, learning_rate=0.02)
    decision, logits, truth = _answers(folder, "learnt")
    assert decision.between and len(decision.levels) > 32
    judged = decision.judge(np.maximum(logits, 0))  # the last layer cuts off low logits
    assert np.abs(judged.values - truth).mean() < 0.5 * np.abs(truth - np.median(truth)).mean()
    assert said["val_mad"] < 0.15
