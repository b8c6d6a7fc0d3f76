"""A new domain is one task, one dataset stage and one score stage: nothing of the tail knows it.

The folder here is a project with the domain's three files and a use case; the tail is the shipped one. The stage
package `stages` is extended by the project's own folder, as a domain's folder is in the repository.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TASK = '''
"""The task `parity`: says whether the sum of four numbers is large."""
from pathlib import Path
import numpy as np

class Parity:
    takes = "tensors"
    follows = False
    picture_side = None

    def __init__(self, package, accelerator, runtime):
        self._labels, self._model = package.labels, package.open_role("model", accelerator, runtime)
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"

    def new_state(self, still=False):
        return None

    def answer(self, raw, state):
        (name,) = self._model.inputs
        (scores,) = self._model.predict({name: raw[None]}).values()
        best = int(scores[0].argmax())
        return {"label": self._labels[best], "score": float(scores[0][best])}

    def finish(self, state):
        return None

    def rows(self, answer):
        return [answer]

    def draw(self, picture, answer):
        return picture

    def read(self, path):
        return iter(np.load(path)) if path.suffix == ".npy" else None

def load(package, accelerator, runtime):
    return Parity(package, accelerator, runtime)
'''
DATASET = '''
from engine.stage import Out

def dataset(train: Out, test: Out) -> None:
    """Make numbers, and whether their sum is large."""
    import numpy as np
    from stages.tflite import part
    for folder, count, seed in ((train, 200, 0), (test, 40, 1)):
        x = np.random.default_rng(seed).uniform(-1, 1, (count, 4)).astype(np.float32)
        part.write(folder, {"numbers": x})
        np.save(folder / "truth_large.npy", (x.sum(1) > 0).astype(np.int64))
        (folder / "labels.txt").write_text("small\\nlarge\\n")
    np.save(part.raw_folder(test) / "first.npy", x[:10])
    part.write_items(test, {"first.npy": (0, 9)})
'''
TRAIN = '''
from engine.stage import In, Out

def train(train: In, model: Out) -> None:
    """Add the numbers up, in a network."""
    import keras
    import numpy as np
    inputs = keras.Input((4,), name="numbers")
    network = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    network.set_weights([np.array([[-1, 1]] * 4, np.float32), np.zeros(2, np.float32)])
    model.mkdir()
    (model / "architecture.json").write_text(network.to_json())
    for at, weights in enumerate(network.get_weights()):
        np.save(model / f"weights_{at:03}.npy", weights)
'''
SCORE = '''
import json
from typing import TypedDict
from engine.stage import In, Out, measured_on

class ScoreMetrics(TypedDict):
    """The share that is right."""
    accuracy: float

def score(test: In, outputs: In, reference: In, report: Out) -> ScoreMetrics:
    """Compare outputs with the truth."""
    import numpy as np
    from stages.tflite import outputs as raw_outputs
    from stages.tflite import part
    found = raw_outputs.read(outputs)
    measured_on(found.about["taken"])
    (scores,) = found.values().values()
    guesses = scores.argmax(1)
    accuracy = float((guesses == np.load(test / "truth_large.npy")).mean())
    labels = (test / "labels.txt").read_text().split()
    rows = [{"label": labels[at]} for at in guesses]
    answers = [{"file": item.path.name, "rows": rows[item.first : item.last + 1]} for item in part.items(test)]
    about = {name: found.about[name] for name in ("runtime", "accelerator", "taken")}
    report.write_text(json.dumps({**about, "answers": answers, "card": {"Figures": f"{accuracy:.3f}"}}))
    return ScoreMetrics(accuracy=accuracy)
'''
USECASE = """
description: Whether a sum is large
defaults:
  - /pipeline@stages: edge_export
  - _self_
objective: score.accuracy
task: parity
stages:
  dataset:
    uses: stages.parity.dataset
  train:
    uses: stages.parity.train
    inputs: {train: dataset.train}
  score:
    uses: stages.parity.score
    require: {accuracy: ">= 0.95"}
  verify:
    require: {agreement: ">= 0.9"}
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the new domain in it."""
    folder = tmp_path_factory.mktemp("new") / "repository"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("engine", "stages", "conf", "usecases"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copyfile(ROOT / "run.py", folder / "run.py")
    domain = folder / "stages" / "parity"
    domain.mkdir()
    files = {"__init__": "", "dataset": DATASET, "train": TRAIN, "score": SCORE}
    for name, source in files.items():
        (domain / f"{name}.py").write_text(source)
    (folder / "stages" / "tasks" / "parity.py").write_text(TASK)
    (folder / "usecases" / "parity.yaml").write_text(USECASE)
    return folder


def run(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "run.py", *words, "usecase=parity", "target=rpi4", "tracking=none"]
    return subprocess.run(
        [*argv, "executor=local"], cwd=repository, capture_output=True, text=True, check=False
    )


def test_a_new_domain_is_three_files_and_a_use_case(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    done = run(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    latest = repository / "outputs/parity/rpi4/latest"
    metrics = json.loads((latest / "metrics.json").read_text())
    assert metrics["score.accuracy"] == metrics["evaluate.accuracy"] >= 0.95
    assert (metrics["verify.items"], metrics["verify.answers"]) == (1, 10)
    package = latest / "artifacts/package/package"
    assert json.loads((package / "manifest.json").read_text())["task"] == "parity"
    assert "## Figures" in (package / "card.md").read_text()
    assert (latest / "artifacts/verify/golden/answers.json").is_file()
    source = latest / "artifacts/dataset/test/raw/first.npy"
    said = run(repository, "predict", f"input={source}", "format=jsonl")
    assert said.returncode == 0, said.stderr
    assert {json.loads(line)["label"] for line in said.stdout.splitlines()} == {"small", "large"}


def test_a_task_that_is_not_there_is_named_before_anything_runs(repository: Path) -> None:
    path = repository / "usecases" / "typo.yaml"
    path.write_text(USECASE.replace("task: parity", "task: paritty"))
    argv = [sys.executable, "run.py", "plan", "usecase=typo", "target=rpi4", "tracking=none"]
    said = subprocess.run(argv, cwd=repository, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "stages.verify.params.task\n  there is no 'paritty' in stages.tasks" in said.stderr
    assert "did you mean 'parity'?" in said.stderr
