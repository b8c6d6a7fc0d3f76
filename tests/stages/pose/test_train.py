"""The train stage on a few generated recordings: deterministic, able to learn, and reporting an invalid loss.

Each fixture is a separate process, like the engine's jobs, because TensorFlow's number of threads can be set
only once.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.pose.activity_sample import activity_sample
from stages.pose.dataset import dataset
from stages.pose.keypoints import keypoints
from stages.tflite import part

if (
    importlib.util.find_spec("tensorflow") is None
):  # not imported here: that would take each worker seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow  # half a minute
ROOT = Path(__file__).resolve().parents[3]
SMALL = {"epochs": 2, "width": 8}
TRAIN = """
import json, sys
from pathlib import Path
from engine.stage import StageError
from stages.pose.train import train
results = {}
for name, (data, params) in json.loads(sys.argv[1]).items():
    try:
        results[name] = train(Path(data) / "train", Path(name), **params)
    except StageError as error:
        results[name] = str(error)
Path("results.json").write_text(json.dumps(results))
"""


def trained(folder: Path, jobs: dict[str, tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """Train into folder/<name> with each job's dataset and parameters, and return the stage's results."""
    folder.mkdir()
    wanted = json.dumps({name: (str(data), params) for name, (data, params) in jobs.items()})
    subprocess.run(
        [sys.executable, "-c", TRAIN, wanted],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        check=True,
    )
    answers: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return answers


def written(model: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in model.iterdir()}


def make(folder: Path, name: str, **params: Any) -> None:
    dataset(folder / "keypoints", folder / name / "train", folder / name / "test", **params)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of four people's generated activities."""
    folder = tmp_path_factory.mktemp("sample")
    activity_sample(folder / "recordings", people=4, clips=2, frames=40)
    keypoints(folder / "recordings", folder / "keypoints")
    make(folder, "dataset", window=16, stride=8)
    make(folder, "pictures", window=1, stride=8, val_share=0.0)
    make(folder, "broken", window=16, stride=8)
    points = np.load(folder / "broken/train/keypoints.npy")
    points[0] = np.nan
    np.save(folder / "broken/train/keypoints.npy", points)
    return folder


@pytest.fixture(scope="module")
def one(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Several trainings in one process: models and results of the stage."""
    folder = tmp_path_factory.mktemp("one") / "models"
    data = sample / "dataset"
    jobs = {
        "seed_0": (data, SMALL),
        "seed_1": (data, SMALL | {"seed": 1}),
        "longer": (data, {"epochs": 30, "width": 16, "batch_size": 16}),
        "one_branch": (data, SMALL | {"branches": 1, "augment": False}),
        "pictures": (sample / "pictures", SMALL),
        "broken": (sample / "broken", SMALL),
    }
    return folder, trained(folder, jobs)


def test_the_same_seed_gives_the_same_bytes_in_another_process_and_another_seed_does_not(
    one: tuple[Path, dict[str, Any]], sample: Path, tmp_path: Path
) -> None:
    trained(tmp_path / "again", {"seed_0": (sample / "dataset", SMALL)})
    assert written(one[0] / "seed_0") == written(tmp_path / "again/seed_0")
    assert written(one[0] / "seed_0") != written(one[0] / "seed_1")


def test_it_learns(one: tuple[Path, dict[str, Any]]) -> None:
    assert one[1]["longer"]["val_accuracy"] > 0.6


@pytest.mark.parametrize("name", ["seed_0", "one_branch", "pictures"])
def test_the_model_answers_with_probabilities(
    name: str, one: tuple[Path, dict[str, Any]], sample: Path
) -> None:
    import keras

    network = keras.models.model_from_json((one[0] / name / "architecture.json").read_text())
    network.set_weights([np.load(path) for path in sorted((one[0] / name).glob("weights_*.npy"))])
    folder = sample / ("pictures" if name == "pictures" else "dataset")
    x = part.read(folder / "test").tensors["features"]
    answers = network(x, training=False).numpy()
    assert answers.shape == (len(x), 6)
    assert np.allclose(answers.sum(1), 1, atol=1e-5)


def test_more_branches_make_a_larger_network(one: tuple[Path, dict[str, Any]]) -> None:
    assert one[1]["seed_0"]["parameters"] == 2 * one[1]["one_branch"]["parameters"]


def test_a_loss_that_is_no_number_is_reported(one: tuple[Path, dict[str, Any]]) -> None:
    assert one[1]["broken"].startswith(
        "the loss is nan in epoch 1: lower learning_rate, or check for broken keypoints"
    )
