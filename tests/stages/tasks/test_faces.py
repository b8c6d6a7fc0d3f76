"""The task `faces`: who is named, who stays unknown, and which packages are refused."""

import json

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.edge._items import answers
from stages.tasks import faces
from stages.tasks.face_input import FaceInput
from stages.tasks.liveness import Turns
from stages.tasks.task import open_task
from tests.stages.tasks import packages

GALLERY = faces.Gallery(np.float32([[1, 0], [0.6, 0.8], [0, 1]]), np.int64([0, 0, 1]))


def _package(folder, threshold, gallery=GALLERY):
    """A package whose embedder answers (0.8, 0.6) to every face, without a detector."""
    (folder / "data").mkdir(parents=True)
    gallery.write(folder / "data")
    embedder = packages.always((1, 8, 8, 3), [1.6, 1.2])
    return packages.write(
        folder, "faces", {"threshold": threshold, **FaceInput(8, 8).constants()}, embedder=embedder
    )


def test_a_person_is_as_similar_as_their_most_similar_picture():
    similar = GALLERY.similarities(np.float32([[3, 0], [0, 2]]), 3)
    np.testing.assert_allclose(similar, [[1, 0, -1], [0.8, 1, -1]], atol=1e-6)


def test_below_the_threshold_a_person_is_unknown():
    similar = np.float32([0.5, 0.7])
    assert faces.decided(similar, ["ann", "bob"], 0.69) == ("bob", 0.7)
    assert faces.decided(similar, ["ann", "bob"], 0.71) == ("unknown", 0.7)


@pytest.mark.parametrize(("threshold", "name"), [(0.9, "first"), (0.99, "unknown")])
def test_a_package_without_a_detector_takes_the_picture_for_a_face(tmp_path, threshold, name):
    task = open_task(_package(tmp_path / "p", threshold))
    picture = np.full((20, 30, 3), 90, np.uint8)
    answer = task.answer(picture, task.new_state(still=True))
    [row] = task.rows(answer)
    assert row == {"name": name, "score": 0.96, "top": 0, "left": 0, "bottom": 20, "right": 30}
    box = [0.0, 0.0, 20.0, 30.0]
    assert task.detections(answer) == [{"label": name, "score": 0.96, "box": box, "id": None}]
    assert task.answer(picture, None) == answer


def test_a_face_in_a_clip_has_an_id_and_the_frames_own_name(tmp_path):
    task = open_task(_package(tmp_path / "p", 0.9))
    picture, state = np.full((20, 30, 3), 90, np.uint8), task.new_state()
    answers = [task.answer(picture, state) for _ in range(3)]
    [row] = task.rows(answers[-1])
    place = {"top": 0, "left": 0, "bottom": 20, "right": 30}
    own = {"frame_name": "first", "frame_score": 0.96}
    assert row == {"name": "first", "score": 0.96, "id": 1, **own, **place}
    assert task.detections(answers[-1])[0]["id"] == 1


def test_a_file_is_answered_and_drawn(tmp_path):
    task = open_task(_package(tmp_path / "p", 0.9))
    Image.new("RGB", (40, 40), (9, 9, 9)).save(tmp_path / "a.png")
    assert answers(task, tmp_path / "a.png")[0]["name"] == "first"
    drawn = task.draw(
        np.zeros((40, 40, 3), np.uint8),
        {"faces": [{"name": "x", "score": 1, "box": [5, 5, 30, 30]}]},
    )
    assert drawn.shape == (40, 40, 3) and drawn.any()


def test_a_gallery_of_people_without_a_name_is_refused(tmp_path):
    gallery = faces.Gallery(GALLERY.embeddings, np.int64([0, 0, 7]))
    with pytest.raises(StageError, match="package the model again"):
        open_task(_package(tmp_path / "p", 0.9, gallery))


TWO = GALLERY.embeddings[:2]
DAMAGED = [
    (TWO[:0], np.int64([])),
    (TWO[:, :0], np.int64([0, 1])),
    (TWO, np.float32([0, 1])),
    (TWO, np.int64([0, 1, 1])),
    (TWO, np.int64([0, -1])),
    (TWO.astype(str), np.int64([0, 1])),
    (TWO.astype(object), np.int64([0, 1])),
    (TWO.astype(np.int64), np.int64([0, 1])),
    (TWO[0], np.int64([0, 1])),
]


@pytest.mark.parametrize(("embeddings", "people"), DAMAGED)
def test_arrays_that_are_no_gallery_are_refused(tmp_path, embeddings, people):
    np.save(tmp_path / faces.GALLERY, embeddings, allow_pickle=True)
    np.save(tmp_path / faces.PEOPLE, people)
    with pytest.raises(StageError, match="package the model again"):
        faces.read(tmp_path, 2)


@pytest.mark.parametrize("name", [faces.GALLERY, faces.PEOPLE])
@pytest.mark.parametrize("left", [0, 7, 100, -1])
def test_a_truncated_gallery_is_refused(tmp_path, name, left):
    GALLERY.write(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:left])
    with pytest.raises(StageError, match="package the model again"):
        faces.read(tmp_path, 2)


def test_an_embedder_of_another_width_is_refused(tmp_path):
    gallery = faces.Gallery(np.float32([[1, 0, 0]]), np.int64([0]))
    task = open_task(_package(tmp_path / "p", 0.9, gallery))
    with pytest.raises(StageError, match=r"3 values.* 2: package the model again"):
        task.answer(np.full((20, 30, 3), 90, np.uint8), task.new_state())


def test_faces_are_compared_by_their_place():
    row = {"name": "ann", "score": 0.9, "top": 0, "left": 0, "bottom": 10, "right": 10}
    moved = {**row, "left": 1, "name": "bob"}
    other = {**row, "left": 50, "right": 60}
    assert faces.matched([other, moved], [row]) == [(moved, row)]


def test_liveness_is_answered_only_if_the_package_asks_for_it(tmp_path):
    folder = _package(tmp_path / "p", 0.9)
    about = {"threshold": 0.9, "liveness": "turn", **FaceInput(8, 8).constants()}
    (folder / "constants.json").write_text(json.dumps(about))
    packages.seal(folder, json.loads((folder / "manifest.json").read_text()))
    task = open_task(folder)
    answer = task.answer(np.full((20, 30, 3), 90, np.uint8), task.new_state())
    assert task.rows(answer)[0]["live"] is False  # a picture without landmarks never is


def _ears(aside):
    """Return landmarks (6, 2) whose nose is this far from the middle between the ears."""
    return np.float32([[0, 0], [0, 0], [aside, 0], [0, 0], [-10, 0], [10, 0]])


def test_a_frame_that_shows_somebody_else_does_not_make_a_person_live():
    turns, one = Turns(), {"name": "ann", "frame_name": "ann"}
    assert faces._liveness(one, _ears(-7), turns) == {"live": False}
    assert faces._liveness({**one, "frame_name": "bob"}, _ears(7), turns) == {"live": False}
    assert faces._liveness({**one, "frame_name": "unknown"}, _ears(7), turns) == {"live": False}
    assert faces._liveness(one, _ears(7), turns) == {"live": True}
    assert faces._liveness({**one, "frame_name": "bob"}, _ears(0), turns) == {"live": True}
    assert faces._liveness({"name": "unknown"}, _ears(0), turns) == {}
