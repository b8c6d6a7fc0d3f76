"""The task of a model without a known task: inputs from files, outputs as answers."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.media.unreadable import Unreadable
from stages.tasks.task import open_task
from stages.tasks.tensors import row
from tests.stages.tasks import packages


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    model = packages.always((1, 2), [0.5, 2.0, -1.0])
    folder = tmp_path_factory.mktemp("packages") / "package"
    return open_task(packages.write(folder, "tensors", {}, model=model))


def test_an_array_is_answered_with_the_outputs(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.array([1, 2], np.float32))
    (raw,) = opened.read(tmp_path / "a.npy")
    (row,) = opened.rows(opened.answer(raw, opened.new_state()))
    assert (row["size"], row["highest"], row["value"]) == (3, 1, 2.0)
    assert row["values"] == [0.5, 2.0, -1.0]


def test_an_output_with_a_value_for_each_label_is_detected_as_its_class(opened, monkeypatch):
    answer = {"outputs": {"y": [0.5, 2.0, -1.0]}}
    assert opened.detections(answer) == []
    monkeypatch.setattr(opened, "_labels", ["cat", "dog", "owl"])
    assert opened.detections(answer) == [{"label": "dog", "score": 2.0, "box": None, "id": None}]


def test_several_inputs_come_by_name_in_one_file(opened, tmp_path):
    ((name, _),) = opened._model.inputs.items()
    np.savez(tmp_path / "a.npz", **{name: np.array([1, 2], np.float32)})
    (raw,) = opened.read(tmp_path / "a.npz")
    assert opened.answer(raw, None)["outputs"]


def test_an_array_that_does_not_fit_is_unreadable_and_stops_no_other(opened, tmp_path):
    np.save(tmp_path / "turned.npy", np.zeros((2, 1), np.float32))
    (tmp_path / "torn.npz").write_bytes(b"PK")
    for name in ("turned.npy", "torn.npz"):
        with pytest.raises(Unreadable):
            list(opened.read(tmp_path / name))


def test_every_example_of_a_file_is_answered(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2), np.float32))
    answers = [opened.answer(raw, None) for raw in opened.read(tmp_path / "a.npy")]
    assert len(answers) == 3


def test_a_value_that_json_lacks_is_null():
    assert row("y", np.array([np.nan, 1])) == {
        "output": "y",
        "size": 2,
        "highest": 0,
        "value": None,
        "values": [None, 1.0],
    }
    assert row("y", np.zeros(0))["highest"] is None


def test_other_files_are_none_of_its_own(opened, tmp_path):
    assert opened.read(tmp_path / "a.png") is None


def test_a_model_of_pictures_scales_them_as_in_training(tmp_path):
    model = packages.always((1, 4, 4, 3), [1.0])
    about = {"picture": {"mean": 127.5, "deviation": 127.5}}
    task = open_task(packages.write(tmp_path / "package", "tensors", about, model=model))
    assert task.takes == "pictures"
    answer = task.answer(np.full((8, 6, 3), 255, np.uint8), None)
    assert task.rows(answer)[0]["value"] == 1.0
    assert task.draw(np.zeros((40, 40, 3), np.uint8), answer).any()


def test_a_model_of_pictures_takes_arrays_too(tmp_path):
    about = {"picture": {"mean": 127.5, "deviation": 127.5}}
    model = packages.always((1, 4, 4, 3), [1.0])
    task = open_task(packages.write(tmp_path / "package", "tensors", about, model=model))
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 3)))
    (raw,) = task.read(tmp_path / "a.npy")
    assert task.rows(task.answer(raw, None))[0]["value"] == 1.0


def test_a_package_that_does_not_say_how_pixels_are_scaled_is_refused(tmp_path):
    about = {"picture": {"mean": 127.5}}
    model = packages.always((1, 4, 4, 3), [1.0])
    folder = packages.write(tmp_path / "package", "tensors", about, model=model)
    with pytest.raises(StageError, match="no number 'deviation'"):
        open_task(folder)


def test_a_model_of_no_pictures_says_what_to_give_it(tmp_path):
    model = packages.always((1, 2), [1.0])
    about = {"picture": {"mean": 0.0, "deviation": 255.0}}
    task = open_task(packages.write(tmp_path / "package", "tensors", about, model=model))
    with pytest.raises(
        StageError, match=r"input is \[1, 2\], not a picture: give its inputs as .npy"
    ):
        task.answer(np.zeros((8, 6, 3), np.uint8), None)


def test_a_classifier_with_labels_names_the_highest_value():
    assert row("y", np.array([0.1, 0.9]), ("cat", "dog"))["label"] == "dog"
    assert "label" not in row("y", np.array([0.1, 0.9, 0.0]), ("cat", "dog"))
