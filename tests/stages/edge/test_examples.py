"""A folder of the user's examples becomes the parts for exporting a model of any format."""

import json

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.edge import examples as module
from stages.edge.examples import examples
from stages.tflite import part
from tests.stages.tasks.packages import always


@pytest.fixture
def made(tmp_path):
    """Make the parts for a model with these inputs, from the folder `mine`."""
    (tmp_path / "mine").mkdir()

    def run(shape, **params):
        (tmp_path / "m.tflite").write_bytes(always(shape, [1.0, 2.0]))
        given = (tmp_path / "mine", tmp_path / "m.tflite")
        metrics = examples(*given, tmp_path / "train", tmp_path / "test", **params)
        return metrics, part.read(tmp_path / "train"), part.read(tmp_path / "test")

    run.mine = tmp_path / "mine"
    return run


def values(read):
    (found,) = read.tensors.values()
    return np.asarray(found)


def test_each_fifth_example_is_of_the_test_part(made):
    np.save(made.mine / "a.npy", np.arange(20, dtype=np.float32).reshape(10, 2))
    metrics, train, test = made((1, 2))
    assert metrics == {"train_examples": 8, "test_examples": 2, "skipped": 0}
    assert values(test).tolist() == [[0, 1], [10, 11]]
    assert len(values(train)) == 8


def test_files_of_one_example_come_in_natural_order_and_by_name(made):
    for at in (10, 2):
        np.save(made.mine / f"{at}.npy", np.array([at, at], np.float32))
    _, train, test = made((1, 2))
    assert (values(test).tolist(), values(train).tolist()) == ([[2, 2]], [[10, 10]])


def test_the_test_parts_items_are_what_the_task_reads(made):
    np.save(made.mine / "a.npy", np.arange(4, dtype=np.float32).reshape(2, 2))
    _, _, test = made((1, 2))
    (item,) = part.items(test.folder)
    with np.load(item.path) as file:
        assert [file[name].tolist() for name in file.files] == [[0, 1]]


def picture(path, level):
    Image.fromarray(np.full((6, 8, 3), level, np.uint8)).save(path)


@pytest.mark.parametrize(
    ("params", "value"), [({}, 1.0), ({"mean": 127.5, "deviation": 127.5}, 1.0), ({"mean": 255}, 0)]
)
def test_pictures_are_scaled_to_the_models_input(made, params, value):
    for name in ("a", "b"):
        picture(made.mine / f"{name}.png", 255)
    _, train, test = made((1, 4, 4, 3), **params)
    assert values(train).shape == (1, 4, 4, 3) and values(train) == pytest.approx(value)
    constants = json.loads((test.folder / "constants.json").read_text())["picture"]
    assert constants["mean"] == params.get("mean", 0)
    assert [item.path.name for item in part.items(test.folder)] == ["00.png"]


@pytest.mark.parametrize(("params", "told"), [({}, 1), ({"mean": 0, "deviation": 1}, 0)])
def test_a_guessed_scaling_of_pictures_is_noted(made, monkeypatch, params, told):
    said = []
    monkeypatch.setattr(module, "note", said.append)
    for name in ("a", "b"):
        picture(made.mine / f"{name}.png", 255)
    made((1, 4, 4, 3), **params)
    assert [" is a guess" in one for one in said] == [True] * told


def test_arrays_are_not_scaled_and_nothing_is_noted(made, monkeypatch):
    said = []
    monkeypatch.setattr(module, "note", said.append)
    np.save(made.mine / "a.npy", np.zeros((2, 4, 4, 3), np.float32))
    made((1, 4, 4, 3))
    assert said == []


def test_examples_in_folders_of_classes_are_found_hidden_ones_are_not(made):
    for folder in ("cats", "dogs", ".thumbnails"):
        (made.mine / folder).mkdir()
        picture(made.mine / folder / "a.png", 255)
    assert made((1, 4, 4, 3))[0] == {"train_examples": 1, "test_examples": 1, "skipped": 0}


def test_of_very_many_files_some_of_each_class_are_used(made, monkeypatch):
    said = []
    monkeypatch.setattr(module, "note", said.append)
    monkeypatch.setattr(module, "MOST_FILES", 4)
    for name in "abcdefgh":
        np.save(made.mine / f"{name}.npy", np.full(2, ord(name) - ord("a"), np.float32))
    _, train, test = made((1, 2))
    assert sorted([*values(test)[:, 0], *values(train)[:, 0]]) == [0, 2, 4, 6]
    assert said[0].startswith("using 4 of 8 files")


def test_what_cannot_be_read_is_skipped_and_told(made, monkeypatch):
    said = []
    monkeypatch.setattr(module, "note", said.append)
    np.save(made.mine / "a.npy", np.zeros((2, 2), np.float32))
    np.save(made.mine / "b.npy", np.zeros((2, 3), np.float32))
    (made.mine / "c.png").write_text("no picture")
    (made.mine / "d.npz").write_bytes(b"")
    (made.mine / "e.csv").write_bytes(b"")
    np.save(made.mine / "f.npy", np.full((2, 2), np.nan))
    assert made((1, 2))[0]["skipped"] == 5
    assert "b.npy (its shape is [2, 3], but the model needs" in said[0] and "c.png (" in said[0]
    assert "d.npz (" in said[0] and "e.csv (not a picture, .npy or .npz file)" in said[0]
    assert "f.npy (it contains NaN or infinity)" in said[0]


def test_too_few_examples_are_refused(made):
    with pytest.raises(StageError, match="there are 0 examples: provide at least two"):
        made((1, 2))


def test_a_model_of_no_picture_says_what_to_give_it(made):
    picture(made.mine / "a.png", 0)
    with pytest.raises(StageError, match=r"input is \[1, 2\], not a picture"):
        made((1, 2))


def test_the_inputs_of_a_keras_model_are_known_too(do, relu, tmp_path):
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine/a.npy", np.zeros((6, 8), np.float32))
    done = do("stages.edge.examples", {"examples": tmp_path / "mine", "model": relu})
    assert done.status == 0, done.log
    assert done.metrics["train_examples"] == 4


def test_labels_go_to_the_test_part_for_the_package(made, tmp_path):
    np.save(made.mine / "a.npy", np.zeros((4, 2), np.float32))
    (tmp_path / "names.txt").write_text("\ufeffcat \r\ndog\n\n", encoding="utf-8")
    _, _, test = made((1, 2), labels=tmp_path / "names.txt")
    assert (test.folder / "labels.txt").read_text(encoding="utf-8") == "cat\ndog\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"cat\n", "has 1 lines, but the model's outputs have 2 values"), (b"\xff\xfe", "UTF-8")],
)
def test_labels_that_do_not_fit_are_refused(made, tmp_path, content, told):
    np.save(made.mine / "a.npy", np.zeros((4, 2), np.float32))
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(StageError, match=told):
        made((1, 2), labels=tmp_path / "names.txt")
