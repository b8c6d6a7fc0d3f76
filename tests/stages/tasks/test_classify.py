"""The task `classify`: how a picture becomes a tensor, and probabilities an answer."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks import classify
from stages.tasks.head import Head
from stages.tasks.task import open_task, set_time
from tests.stages.tasks import packages

LABELS = ["cat", "dog", "owl", "yak"]


@pytest.mark.parametrize(("fit", "left"), [("crop", 255), ("stretch", 0)])
def test_the_middle_square_is_cut_out_or_all_is_squeezed(fit, left):
    picture = np.zeros((20, 60, 3), np.uint8)
    picture[:, 20:40] = 255  # the middle third
    found = classify.prepared(picture, {"size": 10, "fit": fit})
    assert found.shape == (10, 10, 3)
    assert int(found[5, 0, 0]) == left
    assert int(found[5, 5, 0]) == 255


def test_a_tall_picture_is_cut_above_and_below():
    picture = np.zeros((50, 10, 3), np.uint8)
    picture[20:30] = 255
    assert classify.prepared(picture, {"size": 10, "fit": "crop"}).min() == 255


def test_the_answer_has_the_most_probable_classes_in_their_order():
    answer = classify.decided(np.float32([0.1, 0.6, 0.05, 0.25]), LABELS, 0.5)
    assert (answer["label"], answer["probability"]) == ("dog", 0.6)
    assert list(answer["classes"].items()) == [("dog", 0.6), ("yak", 0.25), ("cat", 0.1)]


def test_below_the_threshold_it_is_none_of_the_classes():
    answer = classify.decided(np.float32([0.1, 0.6, 0.05, 0.25]), LABELS, 0.7)
    assert (answer["label"], answer["probability"]) == (classify.NONE, 0.6)


def _packed(folder, answer):
    model = packages.always((1, 8, 8, 3), answer)
    constants = {"size": 8, "fit": "crop", "threshold": 0.5}
    return packages.write(folder / "package", "classify", constants, model=model)


def test_a_package_answers_a_picture_of_any_size(tmp_path):
    task = open_task(_packed(tmp_path, [0.25, 0.75]))
    picture = np.zeros((30, 40, 3), np.uint8)
    answer = task.answer(picture, task.new_state(still=True))
    assert task.rows(answer) == [{"label": "second", "probability": 0.75}]
    assert task.detections(answer) == [{"label": "second", "score": 0.75, "box": None, "id": None}]
    assert task.draw(picture, answer).any()


def test_what_a_camera_returns_is_answered_like_the_models_own_output(tmp_path):
    task = open_task(_packed(tmp_path, [0.25, 0.75]))
    seen = {"anything": np.float32([[0.25, 0.75]])}
    picture = np.zeros((30, 40, 3), np.uint8)
    assert task.answer_seen(seen, (30, 40), None) == task.answer(picture, None)
    ours, theirs = task.new_state(), task.new_state()
    for _ in range(3):
        assert task.answer_seen(seen, (30, 40), ours) == task.answer(picture, theirs)


@pytest.mark.parametrize(
    "outputs", [{}, {"a": np.ones((1, 3), np.float32)}, {"a": np.ones(2, np.float32)}]
)
def test_a_cameras_tensors_of_another_network_are_refused(opened, outputs):
    with pytest.raises(
        StageError, match=r"needs a picture classifier with one output \[1, 2 labels"
    ):
        opened.answer_seen(outputs, (30, 40), None)


class _Says:
    """In place of the network: the probabilities of each frame in order."""

    def __init__(self, inputs, frames):
        self.inputs, self._frames = inputs, iter(frames)

    def predict(self, values):
        return {"probabilities": np.float32([next(self._frames)])}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return open_task(_packed(tmp_path_factory.mktemp("classify"), [0.25, 0.75]))


def _clip(opened, monkeypatch, frames, fps=30):
    """Return the answers to the frames of a clip with these probabilities."""
    monkeypatch.setattr(opened, "_model", _Says(opened._model.inputs, frames))
    state, answers = opened.new_state(), []
    for at in range(len(frames)):
        set_time(state, at / fps)
        answers.append(opened.answer(np.zeros((8, 8, 3), np.uint8), state))
    return answers


def test_the_first_frame_of_a_clip_is_answered_like_a_picture(opened, monkeypatch):
    (first,) = _clip(opened, monkeypatch, [[0.3, 0.7]])
    assert (first["label"], first["probability"]) == ("second", 0.7)
    assert (first["frame_label"], first["frame_probability"]) == ("second", 0.7)


def test_one_bad_frame_of_a_clip_does_not_change_its_label(opened, monkeypatch):
    answers = _clip(opened, monkeypatch, [[0.1, 0.9]] * 5 + [[0.9, 0.1]] + [[0.1, 0.9]] * 5)
    assert {one["label"] for one in answers} == {"second"}
    assert [one["frame_label"] for one in answers].count("first") == 1
    assert opened.rows(answers[5])[0]["frame_probability"] == 0.9


def test_a_lasting_change_is_answered_within_half_a_second(opened, monkeypatch):
    answers = _clip(opened, monkeypatch, [[0.1, 0.9]] * 30 + [[0.9, 0.1]] * 30)
    assert answers[45]["label"] == answers[-1]["label"] == "first"


def test_a_label_at_the_threshold_does_not_flicker(opened, monkeypatch):
    near = [[0.5, 0.48] if at % 2 else [0.52, 0.48] for at in range(30)]
    labels = [one["label"] for one in _clip(opened, monkeypatch, near)]
    assert set(labels) == {"first"}
    low = [one["label"] for one in _clip(opened, monkeypatch, [[0.49, 0.4]] * 9)]
    assert set(low) == {classify.NONE}


def test_none_of_the_classes_is_drawn_without_a_probability(opened):
    picture = np.zeros((60, 300, 3), np.uint8)
    drawn = [
        opened.draw(picture, {"label": classify.NONE, "probability": share}) for share in (0.2, 0.6)
    ]
    assert (drawn[0] == drawn[1]).all() and drawn[0].any()


def test_none_of_the_classes_is_no_detection(opened):
    assert opened.detections({"label": classify.NONE, "probability": 0.2}) == []


def _with_head(folder, layer):
    """Package a model that embeds every picture as (0.6, 0.8)."""
    constants = {
        "size": 8,
        "fit": "crop",
        "threshold": 0.5,
        "head": {},
        "picture": {"mean": 128, "deviation": 128},
    }
    (folder / "package/data").mkdir(parents=True)
    layer.write(folder / "package/data")
    return packages.write(
        folder / "package", "classify", constants, model=packages.always((1, 8, 8, 3), [0.6, 0.8])
    )


def test_an_embedding_goes_through_the_last_layer_of_the_package(tmp_path):
    layer = Head(np.float32([[9, 0], [0, 9]]), np.float32([0, 1]))
    answer = open_task(_with_head(tmp_path, layer)).answer(np.zeros((8, 8, 3), np.uint8), None)
    (wanted,) = layer.probabilities(np.float32([[0.6, 0.8]]))
    assert (answer["label"], answer["probability"]) == ("second", round(float(wanted[1]), 4))


def test_a_cameras_embedding_goes_through_the_last_layer_too(tmp_path):
    layer = Head(np.float32([[9, 0], [0, 9]]), np.float32([0, 1]))
    task = open_task(_with_head(tmp_path, layer))
    answer = task.answer(np.zeros((8, 8, 3), np.uint8), None)
    assert task.answer_seen({"embedding": np.float32([[0.6, 0.8]])}, (8, 8), None) == answer
    with pytest.raises(StageError, match="embedding has 3 values, but the last layer needs 2"):
        task.answer_seen({"embedding": np.ones((1, 3), np.float32)}, (8, 8), None)


def test_a_last_layer_for_another_embedding_is_refused(tmp_path):
    layer = Head(np.ones((2, 3), np.float32), np.zeros(2, np.float32))
    with pytest.raises(StageError, match="embedding has 2 values, but the last layer needs 3"):
        open_task(_with_head(tmp_path, layer))


def test_pixels_become_the_values_that_the_model_was_trained_with():
    pixels = np.uint8([[[[0, 128, 255]]]])
    assert classify.values(pixels, {}) is pixels
    found = classify.values(pixels, {"picture": {"mean": 128, "deviation": 128}})
    assert found[:].tolist() == [[[[-1, 0, 127 / 128]]]]


def test_a_model_of_another_number_of_classes_is_refused(tmp_path):
    with pytest.raises(StageError, match=r"the model has 3 classes, but labels\.txt has 2"):
        open_task(_packed(tmp_path, [0.25, 0.5, 0.25]))
