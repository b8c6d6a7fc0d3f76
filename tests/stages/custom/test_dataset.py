"""From get_data() to the parts that other stages read."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom.dataset import dataset
from stages.tasks.columns import schema
from stages.tflite import part

ROWS = """
import numpy as np
def get_data(seed):
    x = np.random.default_rng(seed).normal(size=(60, 2))
    y = np.where(x[:, 0] > 0, "up", "down")
    return (x[:40], y[:40]), (x[40:], y[40:])
"""


@pytest.fixture
def made(tmp_path):
    """Write data.py, and run the stage; return its metrics and its folder."""

    def run(source, **params):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "data.py").write_text(source)
        outputs = [tmp_path / name for name in ("train", "test", "columns")]
        return dataset(tmp_path / "mine", *outputs, **params), tmp_path

    return run


def test_rows_become_parts_with_columns_and_raw_items(made):
    metrics, folder = made(ROWS)
    assert (metrics["train_examples"], metrics["test_examples"], metrics["size"]) == (40, 20, 2)
    assert metrics["classes"] == 2 and metrics["repeatable"] == 1
    test = part.read(folder / "test")
    assert test.tensors["row"].shape == (20, 2)
    assert (folder / "test" / "labels.txt").read_text() == "down\nup\n"
    truth = np.load(folder / "test" / "truth_target.npy")
    assert (truth == (test.tensors["row"][:, 0] > 0)).all()
    found = schema.read(folder / "columns")
    assert [one.name for one in found.used] == ["x0", "x1"] and not found.has_header
    first, *_, last = part.items(folder / "test")
    cells = [float(cell) for cell in last.path.read_text().split(",")]
    assert first.first == 0 and cells == test.tensors["row"][19].tolist()


def test_pictures_become_arrays(made):
    source = (
        "import numpy as np\n"
        "def get_data():\n"
        "    x = np.arange(20 * 12, dtype=np.uint8).reshape(20, 2, 2, 3)\n"
        "    return x[:15], x[15:], np.arange(15) / 3, np.arange(5) / 3\n"
    )
    metrics, folder = made(source)
    assert metrics["classes"] == 0 and metrics["size"] == 12
    about = json.loads((folder / "columns" / "example.json").read_text())
    assert about == {"shape": [2, 2, 3], "type": "uint8"}
    assert not (folder / "columns" / "columns.json").exists()
    item = part.items(folder / "test")[4]
    assert (np.load(item.path) == part.read(folder / "test").tensors["row"][item.first]).all()


def test_data_that_change_from_call_to_call_are_counted(made):
    metrics, _ = made(ROWS.replace("(seed)", "()"))
    assert metrics["repeatable"] == 0


def test_the_seed_decides(made, tmp_path):
    made(ROWS, seed=5)
    expected = np.random.default_rng(5).normal(size=(60, 2))[:40]
    assert (part.read(tmp_path / "train").tensors["row"] == expected).all()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("y[40:])", "y[41:])", "x_test has 20 examples, but y_test has 19"),
        ('"down")', '"up")', "one class"),
        ("(x[:40], y[:40]), (x[40:], y[40:])", "x, y", "train_test_split"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(made, old, new, word):
    with pytest.raises(StageError, match=word):
        made(ROWS.replace(old, new))
