"""The task `detect`: how outputs of both forms become objects, and which models are refused."""

import tempfile
from functools import partial

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.detection import _operator
from stages.edge._items import answers
from stages.tasks import boxes, detect
from stages.tasks.followed_objects import followed
from stages.tasks.task import open_task
from stages.tflite.tensor import Tensor
from tests.stages.tasks import packages

ANCHORS = np.float32([[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5], [0.75, 0.7, 0.5, 0.5]])
CONSTANTS = {
    "size": 8,
    "box_scales": [10.0, 10.0, 5.0, 5.0],
    "thresholds": {"first": 0.5, "second": 0.3},
    "iou_threshold": 0.5,
    "most": 10,
    "postprocess": "task",
}
OUTPUTS = {
    "boxes": np.zeros((3, 4), np.float32),
    "scores": np.float32([[0.6, 0.1], [0.1, 0.4], [0.2, 0.35]]),
}


def _decoded(classes, scores):
    count = len(scores)
    found = np.float32([[0, 0, 0.5, 0.5]] * count), np.float32(classes), np.float32(scores)
    return dict(zip(detect.DECODED_OUTPUTS, (*found, np.float32([count])), strict=True))


def test_each_class_has_its_own_threshold():
    found = detect.found(OUTPUTS, CONSTANTS, ANCHORS, np.float32([0.5, 0.3]))
    assert found.classes.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.6, 0.4])


def test_a_lower_floor_finds_more_for_the_evaluation():
    assert len(detect.found(OUTPUTS, CONSTANTS, ANCHORS, 0.01)) == 4


def test_only_the_chosen_columns_of_a_model_become_classes():
    found = detect.found(OUTPUTS, {**CONSTANTS, "classes": [1]}, ANCHORS, 0.3)
    assert found.classes.tolist() == [0]


def test_many_candidates_are_bounded():
    outputs = {"boxes": np.zeros((5000, 4), np.float32), "scores": np.ones((5000, 1), np.float32)}
    anchors = np.random.default_rng(0).uniform(0.2, 0.8, (5000, 4))
    assert len(detect.found(outputs, CONSTANTS, anchors, 0.5)) == CONSTANTS["most"]


def test_detections_of_the_models_own_operator_are_renumbered():
    constants = {**CONSTANTS, "postprocess": "tflite", "classes": [16, 2]}
    outputs = _decoded([16, 7, 2, 2], [0.9, 0.8, 0.7, 0.2])
    found = detect.found(outputs, constants, ANCHORS, np.float32([0.5, 0.3]))
    assert found.classes.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.7])


@pytest.mark.parametrize("seen", [[], [0], [1], [0, 1]])
def test_a_picture_need_not_show_every_class_of_the_models_own_operator(seen):
    constants = {**CONSTANTS, "postprocess": "tflite"}
    outputs = _decoded([*seen, 0], [*[0.9] * len(seen), 0.1])
    found = detect.found(outputs, constants, ANCHORS, np.float32([0.5, 0.3]))
    assert found.classes.tolist() == seen


def test_detections_beyond_the_operators_count_are_ignored():
    constants = {**CONSTANTS, "postprocess": "tflite"}
    outputs = {**_decoded([0, 1], [0.9, 0.8]), detect.DECODED_OUTPUTS[3]: np.float32(1)}
    assert len(detect.found(outputs, constants, ANCHORS, 0.1)) == 1


def test_boxes_of_an_answer_are_pixels_of_the_original_picture():
    found = detect.found(OUTPUTS, CONSTANTS, ANCHORS, 0.5)
    (one,) = detect.objects(found, packages.LABELS, (100, 200))
    assert one == {"label": "first", "score": 0.6, "box": [0.0, 0.0, 50.0, 100.0]}


def _packed(folder, constants=CONSTANTS):
    """Package a network whose outputs are always OUTPUTS."""
    (folder / "package/data").mkdir(parents=True)
    np.save(folder / "package/data" / detect.ANCHORS, ANCHORS)
    return packages.write(folder / "package", "detect", constants, model=_always(OUTPUTS))


def _always(outputs):
    tf = pytest.importorskip("tensorflow")

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32, "picture")])
        def call(self, picture):
            nothing = 0.0 * tf.reduce_sum(picture)
            return {name: tf.constant(one[None]) + nothing for name, one in outputs.items()}

    network = Network()
    call = network.call.get_concrete_function()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures=call)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def test_a_package_finds_objects_in_a_picture_of_any_size(tmp_path):
    task = open_task(_packed(tmp_path))
    picture = np.zeros((100, 200, 3), np.uint8)
    answer = task.answer(picture, task.new_state(still=True))
    assert task.detections(answer)[0] == {"label": "first", "score": 0.6, "box": [0.0, 0.0, 50.0, 100.0], "id": None}  # fmt: skip
    assert task.rows(answer) == [
        {"label": "first", "score": 0.6, "top": 0.0, "left": 0.0, "bottom": 50.0, "right": 100.0},
        {"label": "second", "score": 0.4, "top": 50.0, "left": 100.0, "bottom": 100.0, "right": 200.0},
    ]  # fmt: skip
    assert task.draw(picture, answer).any()


def test_the_objects_of_a_clip_are_those_of_its_pictures_with_ids(tmp_path):
    task = open_task(_packed(tmp_path))
    picture, state = np.zeros((100, 200, 3), np.uint8), task.new_state()
    alone = task.rows(task.answer(picture, None))
    for _ in range(3):
        answer = task.answer(picture, state)
        assert task.rows(answer) == [{**row, "id": at} for at, row in enumerate(alone, 1)]
    assert [one["id"] for one in task.detections(answer)] == [1, 2]


SEEN = {name: one[None] for name, one in OUTPUTS.items()}  # as an accelerator returns them


def test_what_a_camera_returns_is_answered_like_the_models_own_outputs(tmp_path):
    task = open_task(_packed(tmp_path))
    picture = np.zeros((100, 200, 3), np.uint8)
    assert task.answer_seen(SEEN, (100, 200), None) == task.answer(picture, None)
    ours, theirs = task.new_state(), task.new_state()
    for _ in range(3):
        assert task.answer_seen(SEEN, (100, 200), ours) == task.answer(picture, theirs)


def test_boxes_in_what_the_camera_saw_become_boxes_in_the_frame(tmp_path):
    task = open_task(_packed(tmp_path))
    middle = 0.0, 0.25, 1.0, 0.75
    rows = task.rows(task.answer_seen(SEEN, (100, 200), None, middle))
    assert [[row[side] for side in boxes.SIDES] for row in rows] == [
        [0.0, 50.0, 50.0, 100.0],
        [50.0, 100.0, 100.0, 150.0],
    ]


def test_objects_that_only_the_camera_saw_are_clipped_to_the_frame_or_left_out(tmp_path):
    task = open_task(_packed(tmp_path))
    lower = 0.5, -0.5, 1.5, 1.5  # the camera saw half a frame more on three sides
    rows = task.rows(task.answer_seen(SEEN, (100, 200), None, lower))
    assert [[row[side] for side in boxes.SIDES] for row in rows] == [[50.0, 0.0, 100.0, 100.0]]


def test_a_weak_object_that_the_camera_saw_before_keeps_its_place(tmp_path):
    task, middle = open_task(_packed(tmp_path)), (0.0, 0.25, 1.0, 0.75)
    weak = {**SEEN, "scores": SEEN["scores"] * np.float32(0.7)}
    state = task.new_state()
    first, second = (
        task.detections(task.answer_seen(one, (100, 200), state, middle)) for one in (SEEN, weak)
    )
    assert [(one["id"], one["box"]) for one in first] == [(one["id"], one["box"]) for one in second]


def _with_operator(folder, keeps_anchors):
    """Package the network with the operator that decodes its boxes."""
    folder.mkdir()
    raw, decoded = folder / "raw.tflite", folder / "decoded.tflite"
    raw.write_bytes(_always(OUTPUTS))
    _operator.append(raw, decoded, ANCHORS, CONSTANTS)
    constants = {**CONSTANTS, "postprocess": "tflite"}
    (folder / "package/data").mkdir(parents=True)
    if keeps_anchors:
        np.save(folder / "package/data" / detect.ANCHORS, ANCHORS)
    return packages.write(folder / "package", "detect", constants, model=decoded.read_bytes())


def test_a_camera_returns_the_boxes_that_the_packed_model_decodes_itself(tmp_path):
    task = open_task(_with_operator(tmp_path / "own", keeps_anchors=True))
    answer = task.answer(np.zeros((100, 200, 3), np.uint8), None)
    assert len(answer["objects"]) == 2
    assert task.answer_seen(SEEN, (100, 200), None) == answer
    bare = open_task(_with_operator(tmp_path / "bare", keeps_anchors=False))
    with pytest.raises(StageError, match=r"the package has no anchors\.npy"):
        bare.answer_seen(SEEN, (100, 200), None)


def test_a_cameras_tensors_of_another_network_are_refused(tmp_path):
    task = open_task(_packed(tmp_path))
    with pytest.raises(StageError, match="but the model has probabilities: float32"):
        task.answer_seen({"probabilities": np.ones((1, 2), np.float32)}, (100, 200), None)


def _scores(*rows):
    return {**OUTPUTS, "scores": np.float32(rows)}


def _followed(frames):
    """Return the classes and ids of the objects of each frame."""
    state, answers = detect.State(), []
    floor = np.float32([0.5, 0.3])
    for one in frames:
        sure = detect.found(one, CONSTANTS, ANCHORS, floor)
        weak = partial(detect.below, one, CONSTANTS, ANCHORS, floor)
        every, ids = followed(sure, weak, state.tracker, state.tick(), (100, 200))
        answers.append(list(zip(every.classes.tolist(), ids, strict=True)))
    return answers


def test_a_found_object_stays_while_its_score_is_a_little_too_low():
    high, low, lower = ([[score, 0], [0, 0], [0, 0]] for score in (0.6, 0.3, 0.2))
    assert _followed([_scores(*one) for one in (high, low, lower, high)]) == [
        [(0, 1)],
        [(0, 1)],
        [],
        [(0, 1)],
    ]


def test_an_object_of_low_score_does_not_appear_by_itself():
    assert _followed([_scores([0.4, 0], [0, 0.4], [0, 0])]) == [[(1, 1)]]


def test_a_large_photo_is_answered_in_its_own_pixels(tmp_path):
    task = open_task(_packed(tmp_path))
    Image.new("RGB", (800, 400)).save(tmp_path / "large.jpg")
    rows = answers(task, tmp_path / "large.jpg")
    assert (rows[0]["bottom"], rows[0]["right"]) == (200, 400)


def test_a_package_without_a_classs_threshold_is_refused(tmp_path):
    package = _packed(tmp_path, {**CONSTANTS, "thresholds": {"first": 0.5}})
    with pytest.raises(StageError, match="no threshold for 'second'"):
        open_task(package)


def _tensors(**shapes):
    return {name: Tensor(name, shape, "int8") for name, shape in shapes.items()}


def _refused(outputs, constants=CONSTANTS, classes=2, anchors=3):
    with pytest.raises(StageError) as raised:
        detect.check_outputs(outputs, constants, classes, anchors)
    return str(raised.value)


def test_a_classifier_is_not_a_detector():
    said = _refused(_tensors(probabilities=(1, 2)))
    assert "a detector with boxes [1, 3 anchors, 4] and scores [1, 3 anchors, 2 labels]" in said
    assert "but the model has probabilities: int8 [1, 2]" in said


def test_a_raw_detector_is_not_one_that_decodes_its_boxes():
    outputs = _tensors(boxes=(1, 3, 4), scores=(1, 3, 2))
    assert detect.DECODED in _refused(outputs, {"postprocess": "tflite"})


def test_a_detector_with_other_anchors_or_labels_is_refused():
    outputs = _tensors(boxes=(1, 3, 4), scores=(1, 3, 2))
    assert "7 anchors" in _refused(outputs, anchors=7)
    assert "3 labels" in _refused(outputs, classes=3)


def test_a_choice_of_classes_that_the_labels_or_the_model_lack_is_refused():
    outputs = _tensors(boxes=(1, 3, 4), scores=(1, 3, 2))
    chosen = {**CONSTANTS, "classes": [1, 2]}
    assert "2 of the model's 2 classes" in _refused(outputs, chosen)
    assert "labels.txt has 1" in _refused(outputs, {**CONSTANTS, "classes": [0, 1]}, classes=1)


CAT = {"label": "cat", "score": 0.9, "top": 10, "left": 10, "bottom": 50, "right": 50}
DOG = {**CAT, "label": "dog", "score": 0.8}
FAR = {**CAT, "left": 60, "right": 90}


def test_answers_in_another_order_agree():
    assert detect.matched([DOG, CAT, FAR], [CAT, FAR, DOG]) == [(CAT, CAT), (FAR, FAR), (DOG, DOG)]


@pytest.mark.parametrize(
    "other",
    [DOG, FAR, {**CAT, "score": 0.7}, {**CAT, "right": 40}],
    ids=["class", "place", "score", "size"],
)
def test_an_object_with_another_class_box_or_score_does_not_agree(other):
    assert detect.matched([other], [CAT]) == []


def test_an_object_agrees_with_one_other_at_most():
    close = {**CAT, "right": 51}
    assert detect.matched([close, CAT], [CAT]) == [(CAT, CAT)]
    assert detect.matched([CAT], [CAT, CAT]) == [(CAT, CAT)]
    assert detect.matched([], [CAT]) == detect.matched([CAT], []) == []
