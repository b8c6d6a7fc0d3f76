"""A killed training resumes from its last checkpoint, with the same resulting model."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.pose.activity_sample import activity_sample
from stages.pose.dataset import dataset
from stages.pose.keypoints import keypoints
from stages.training.state import TrainingState

if (
    importlib.util.find_spec("tensorflow") is None
):  # not imported here: that would take each worker seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow  # half a minute
ROOT = Path(__file__).resolve().parents[3]
EPOCHS = 60
PARAMS = {"epochs": EPOCHS, "width": 8, "batch_size": 16, "limb_swap": 0.2}


def started(folder: Path, data: Path, checkpoint: Path) -> subprocess.Popen[bytes]:
    """Start the training as an executor does; the model will be folder/model."""
    folder.mkdir()
    job = {
        "module": "stages.pose.train",
        "function": "train",
        "inputs": {"train": str(data / "train")},
        "outputs": {"model": str(folder / "model")},
        "params": PARAMS,
        "checkpoint": str(checkpoint),
    }
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", "engine.stage", str(folder), str(folder / "log")]
    return subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""})


def epochs_saved(checkpoint: Path) -> int:
    """Return the number of epochs in the checkpoint."""
    if not (checkpoint / "training.npz").exists():
        return 0
    with np.load(checkpoint / "training.npz") as saved:
        return len(json.loads(str(saved["about"]))["history"])


def said(folder: Path, kind: str) -> list[dict[str, Any]]:
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [event for event in events if event["event"] == kind]


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    return [
        (event["step"], event["value"]) for event in said(folder, "metric") if event["name"] == name
    ]


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "model").iterdir()}


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three trainings on the same data: uninterrupted, killed, and the second attempt of the killed one."""
    folder = tmp_path_factory.mktemp("trainings")
    activity_sample(folder / "recordings", people=4, clips=2, frames=40)
    keypoints(folder / "recordings", folder / "keypoints")
    data = folder / "dataset"
    data.mkdir()
    dataset(folder / "keypoints", data / "train", data / "test", window=16, stride=8)
    assert started(folder / "undisturbed", data, folder / "unused").wait() == 0
    killed = started(folder / "killed", data, folder / "checkpoint")
    limit = time.monotonic() + 120
    while epochs_saved(folder / "checkpoint") < 2 and time.monotonic() < limit:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -9
    (folder / "continued_after").write_text(str(epochs_saved(folder / "checkpoint")))
    assert started(folder / "continued", data, folder / "checkpoint").wait() == 0
    return folder


def test_a_killed_training_continues_after_its_last_checkpoint(trainings: Path) -> None:
    epochs = int((trainings / "continued_after").read_text())
    assert 2 <= epochs < EPOCHS
    assert [event["text"] for event in said(trainings / "continued", "note")] == [
        f"training resumes after epoch {epochs}"
    ]


def test_a_continued_training_gives_the_bytes_of_an_undisturbed_one(trainings: Path) -> None:
    assert not (trainings / "killed/model").exists()
    assert written(trainings / "continued") == written(trainings / "undisturbed")


@pytest.mark.parametrize("name", ["loss", "val_loss", "val_accuracy"])
def test_a_continued_training_reports_the_whole_curve(name: str, trainings: Path) -> None:
    assert curve(trainings / "continued", name) == curve(trainings / "undisturbed", name)
    assert len(curve(trainings / "continued", name)) == EPOCHS


class Variables:
    """A network or an optimizer, with variables."""

    def __init__(self, *values: float) -> None:
        self.variables = [Variable(value) for value in values]
        self.trainable_variables = self.variables

    def build(self, variables: list["Variable"]) -> None:
        """Do nothing: its variables exist."""


class Variable:
    """A variable like those of Keras."""

    def __init__(self, value: float) -> None:
        self.value = np.array(value)

    def assign(self, value: "np.ndarray[Any, Any]") -> None:
        """Set the value."""
        self.value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> "np.ndarray[Any, Any]":
        return self.value


@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.9, 0.999])
def test_a_damaged_checkpoint_is_as_none(kept: float, tmp_path: Path) -> None:
    path, chance = tmp_path / "training.npz", np.random.default_rng(1)
    TrainingState(path, Variables(1.0, 2.0), Variables(3.0), chance).save([{"loss": 0.5}])
    assert TrainingState(path, Variables(0, 0), Variables(0), chance).restore() == [{"loss": 0.5}]
    data = path.read_bytes()
    path.write_bytes(data[: kept if kept in (0, 1) else int(len(data) * kept)])
    network = Variables(7.0, 8.0)
    assert TrainingState(path, network, Variables(9.0), chance).restore() == []
    assert [float(one.value) for one in network.variables] == [7.0, 8.0]
