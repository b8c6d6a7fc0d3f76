"""The task `activity`, frame by frame: the windows are those of training."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.keypoints import heads
from stages.tasks.keypoints.encoding import cuts
from stages.tasks.keypoints.table import write_clip
from stages.tasks.task import open_task
from tests.stages.tasks import packages


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The task with windows of eight frames, every four frames."""
    return open_task(packages.activity(tmp_path_factory.mktemp("packages") / "package", 8))


def frames(count):
    points = np.random.default_rng(0).uniform(10, 90, (count, 17, 3)).astype(np.float32)
    points[:, :, 2] = 0.5
    return points


def answers(task, clip):
    state = task.new_state()
    found = [task.answer(frame, state) for frame in clip]
    last = task.finish(state)
    return [*found, *([last] if last else [])]


@pytest.mark.parametrize("count", [1, 3, 7, 8, 9, 12, 18, 19])
def test_the_windows_are_those_that_training_cuts(opened, count):
    rows = [row for answer in answers(opened, frames(count)) for row in opened.rows(answer)]
    constants = packages.constants(8)
    assert [(row["first_frame"], row["last_frame"]) for row in rows] == cuts(count, constants)


def test_an_answer_names_the_activity_of_the_last_window_that_is_over(opened):
    found = answers(opened, frames(9))
    assert [answer["activity"] for answer in found[:8]] == [None] * 7 + ["second"]
    assert (found[8]["activity"], found[8]["decided"]) == ("second", False)
    assert found[7]["probability"] == 0.75 and found[7]["mean_score"] == 0.5


def test_a_clip_without_a_frame_has_no_answer(opened):
    assert opened.finish(opened.new_state()) is None


def test_clips_do_not_remember_one_another(opened):
    first, second = opened.new_state(), opened.new_state()
    for frame in frames(8):
        opened.answer(frame, first)
    assert opened.answer(frames(1)[0], second)["activity"] is None


@pytest.fixture(scope="module")
def careful(tmp_path_factory):
    """The same task with a threshold below which a window shows nobody."""
    constants = {**packages.constants(8), "nothing_below": 0.2}
    rows, channels = packages.raw_shape(8)
    model = packages.always((1, rows, 1, channels), [0.25, 0.75])
    folder = tmp_path_factory.mktemp("packages") / "careful"
    return open_task(packages.write(folder, "activity", constants, model=model))


def test_a_window_that_shows_nobody_is_answered_with_nothing(careful):
    empty = frames(8)
    empty[:, :, 2] = 0.05
    (row,) = [row for answer in answers(careful, empty) for row in careful.rows(answer)]
    assert (row["activity"], row["probability"], row["mean_score"]) == ("nothing", None, 0.05)


def test_a_person_who_comes_back_is_named_again(careful):
    clip = frames(24)
    clip[:8, :, 2] = 0.05
    named = [row["activity"] for a in answers(careful, clip) for row in careful.rows(a)]
    assert (named[0], named[-1]) == ("nothing", "second")


def test_nothing_is_drawn_without_a_probability(careful):
    state, empty = careful.new_state(), frames(8)
    empty[:, :, 2] = 0.05
    answer = [careful.answer(frame, state) for frame in empty][-1]
    assert careful.draw(np.zeros((100, 100, 3), np.uint8), answer).any()


def test_the_answer_is_drawn_on_a_copy(opened):
    state, picture = opened.new_state(), np.zeros((100, 100, 3), np.uint8)
    answer = [opened.answer(frame, state) for frame in frames(8)][-1]
    drawn = opened.draw(picture, answer)
    assert drawn.shape == picture.shape and drawn.any() and not picture.any()


def test_keypoints_that_a_camera_saw_are_answered_like_those_of_a_table(opened):
    ours, theirs, size = opened.new_state(), opened.new_state(), (100, 200)
    for frame in frames(9):
        scaled = frame[:, [1, 0, 2]] / np.float32([*size, 1])
        seen = opened.answer_seen({"keypoints": scaled[None, None]}, size, ours)
        wanted = opened.answer(frame, theirs)
        np.testing.assert_allclose(seen.pop("keypoints"), wanted.pop("keypoints"), atol=2e-3)
        assert seen == wanted


def test_keypoints_in_what_the_camera_saw_become_pixels_of_the_frame(opened):
    middle = np.full((1, 1, 17, 3), 0.5, np.float32)
    region = 0.0, 0.25, 1.0, 0.5
    answer = opened.answer_seen({"keypoints": middle}, (100, 200), opened.new_state(), region)
    assert answer["keypoints"] == [[75.0, 50.0, 0.5]] * 17


def test_a_camera_may_return_movenets_heads(opened):
    shapes = {name: (1, 48, 48, channels) for name, channels in heads.CHANNELS.items()}
    found = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    found[heads.CENTRE][0, 24, 24] = 1
    found[heads.HEATMAP][0, 12, 36] = 0.5
    answer = opened.answer_seen(found, (100, 200), opened.new_state())
    assert answer["keypoints"] == [[150.0, 25.0, 0.5]] * 17


def test_tensors_that_are_not_movenets_are_refused(opened):
    with pytest.raises(StageError, match="the task 'activity' needs MoveNet"):
        opened.answer_seen({"a": np.ones((1, 2))}, (100, 200), opened.new_state())


def test_pictures_without_a_pose_model_are_refused(opened):
    with pytest.raises(StageError, match="the package has no pose model"):
        opened.answer(np.zeros((8, 8, 3), np.uint8), opened.new_state())


def test_keypoint_tables_of_its_skeleton_are_read_and_no_other_file(opened, tmp_path):
    write_clip(tmp_path / "clip.csv", frames(3), "coco17")
    write_clip(tmp_path / "other.csv", frames(3)[:, :15], "jhmdb15")
    assert len(list(opened.read(tmp_path / "clip.csv"))) == 3
    assert opened.read(tmp_path / "clip.mp4") is None
    with pytest.raises(StageError, match="has the joints of jhmdb15, but the model needs coco17"):
        list(opened.read(tmp_path / "other.csv"))


def test_a_model_of_other_classes_than_its_labels_is_refused(tmp_path):
    rows, channels = packages.raw_shape(8)
    model = packages.always((1, rows, 1, channels), [1.0, 0.0, 0.0])
    folder = packages.write(tmp_path / "p", "activity", packages.constants(8), model=model)
    with pytest.raises(StageError, match=r"the model has 3 classes, but labels\.txt has 2"):
        open_task(folder)


def test_an_activity_is_detected_where_the_persons_joints_are(opened):
    found = answers(opened, frames(9))
    assert opened.detections(found[0]) == []  # no window is over yet
    points = np.round(frames(9)[-1].astype(float), 3)
    box = [round(float(one), 1) for one in (*points[:, 1::-1].min(0), *points[:, 1::-1].max(0))]
    assert opened.detections(found[8]) == [
        {"label": "second", "score": 0.75, "box": box, "id": None}
    ]
    assert opened.detections(found[-1])[0]["box"] is None  # at the end of the clip


def test_nothing_is_no_detection(careful):
    assert careful.detections({"activity": "nothing", "probability": None, "keypoints": []}) == []
