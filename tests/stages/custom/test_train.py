"""Training an estimator of the user's: what is written, and what is refused. Keras: tests/test_custom_model.py."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from engine.stage import StageError
from stages.custom.dataset import dataset
from stages.custom.train import train
from stages.estimators import archive
from stages.tflite import part

CLASSES = """
import numpy as np
def get_data():
    x = np.random.default_rng(0).normal(size=(90, 3))
    y = np.digitize(x[:, 0], [-0.5, 0.5]) + 4
    return x[:60], x[60:], y[:60], y[60:]
"""
AMOUNTS = CLASSES.replace("np.digitize(x[:, 0], [-0.5, 0.5]) + 4", "x @ [1, 2, 3]")
FOREST = """
from sklearn.ensemble import RandomForestClassifier
def model(trees, classes, input_shape, seed):
    assert (classes, input_shape, seed) == (3, (3,), 0)
    return RandomForestClassifier(trees)
"""
RIDGE = "from sklearn.linear_model import Ridge\ndef model(classes): return Ridge(classes or 1.0)\n"


@pytest.fixture
def made(tmp_path):
    """Write both files, and run both stages; return the metrics and the folder."""

    def run(data, model, **params):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "data.py").write_text(data)
        (tmp_path / "mine" / "model.py").write_text(model)
        parts = [tmp_path / name for name in ("train", "test", "columns")]
        dataset(tmp_path / "mine", *parts)
        outputs = (tmp_path / "model", tmp_path / "decision.json")
        return train(tmp_path / "mine", *parts[:2], *outputs, **params), tmp_path

    return run


def test_a_forest_becomes_arrays_and_its_outputs_are_probabilities(made):
    metrics, folder = made(CLASSES, FOREST, arguments={"trees": 10})
    assert metrics["is_exact"] == 1 and "epochs" not in metrics
    found = json.loads((folder / "decision.json").read_text())
    assert found == {
        "decision": {"target": "y", "task": "classify", "form": "probabilities"},
        "outputs": 3,
    }
    rows = part.read(folder / "test").tensors["row"]
    outputs = archive.read(folder / "model" / "arrays.npz").predict(rows)
    assert outputs.sum(1) == pytest.approx(np.ones(30))
    right = outputs.argmax(1) == np.load(folder / "test" / "truth_target.npy")
    assert right.mean() > 0.8


def test_a_regression_answers_amounts(made):
    _, folder = made(AMOUNTS, RIDGE)
    decision = json.loads((folder / "decision.json").read_text())["decision"]
    assert (decision["form"], decision["mean"], decision["deviation"]) == ("value", 0, 1)
    rows = part.read(folder / "test").tensors["row"]
    outputs = archive.read(folder / "model" / "arrays.npz").predict(rows)
    assert outputs[:, 0] == pytest.approx(rows @ [1, 2, 3], abs=0.5)


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    _, folder = made(CLASSES, FOREST, arguments={"trees": 5})
    outputs = (tmp_path / "again", tmp_path / "again.json")
    parts = (folder / "train", folder / "test")
    train(folder / "mine", *parts, *outputs, arguments={"trees": 5})
    first, second = (tmp_path / name / "arrays.npz" for name in ("model", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_the_labels_are_those_that_the_user_wrote(made):
    source = (
        "from sklearn.linear_model import LogisticRegression\n"
        "def model(): return LogisticRegression(class_weight={4: 1, 5: 9, 6: 1})\n"
    )
    metrics, _ = made(CLASSES, source)
    assert metrics["parameters"] == 12


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("def model(): pass", "returned nothing"),
        (
            "from sklearn.svm import LinearSVC as model_\ndef model(): return model_",
            "class LinearSVC",
        ),
        ("def model(): return 3", "type int"),
        (
            "from sklearn.neighbors import *\ndef model(): return KNeighborsClassifier()",
            "Use Random",
        ),
        (
            "from sklearn.svm import *\ndef model(): return LinearSVC(C=-1)",
            "fitting LinearSVC raised",
        ),
        ("def model(): return nothing", "model.py, line 1"),
    ],
)
def test_anything_else_is_refused(made, model, word):
    with pytest.raises(StageError, match=word):
        made(CLASSES, model)


def test_pictures_are_refused_for_an_estimator(made):
    data = CLASSES.replace("return x[:60], x[60:]", "x = x[:, :, None]\n    return x[:60], x[60:]")
    with pytest.raises(StageError, match="reshape"):
        made(data, FOREST.replace("(3,)", "(3, 1)"), arguments={"trees": 3})
