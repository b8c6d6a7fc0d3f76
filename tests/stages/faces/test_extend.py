"""Adding people to a package: what is taken out of it, whose faces are added, and who is named."""

import json

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.faces._extension import packed_people
from stages.faces.extend import extend
from stages.faces.face_sample import face_sample
from stages.faces.people import people
from stages.faces.unpack import unpack
from stages.tasks import faces
from stages.tasks.face_input import FaceInput
from stages.tasks.faces import Gallery
from stages.tflite import part
from tests.stages.tasks import packages

CONSTANTS = {**FaceInput(32, 32).constants(), "threshold": 0.9, "calibrated_on": 30}


@pytest.fixture
def package(tmp_path):
    """A package of two people, whose embeddings are the colours of their faces."""
    folder = tmp_path / "package"
    (folder / "data").mkdir(parents=True)
    (folder / "models/embedder").mkdir(parents=True)
    (folder / "models/embedder/int8.tflite").write_bytes(b"net")
    (folder / "labels.txt").write_text("person_01\nann\n")
    (folder / "constants.json").write_text(json.dumps(CONSTANTS))
    directions = faces.unit_length(np.float32([[200, 20, 0], [20, 200, 0]]))
    Gallery(directions, np.int64([0, 1])).write(folder / "data")
    models = {"embedder": {"int8": "models/embedder/int8.tflite"}}
    packages.seal(folder, {"v": 2, "task": "faces", "models": models})
    return folder


@pytest.fixture
def unpacked(package, tmp_path):
    unpack(package, tmp_path / "models", tmp_path / "packed")
    return tmp_path / "packed"


@pytest.fixture
def extended(unpacked, tmp_path, monkeypatch):
    """Add faces of one colour each with a model whose embedding is that colour; return what it noted."""
    said: list[str] = []
    monkeypatch.setattr("stages.faces.extend.note", said.append)
    monkeypatch.setattr("stages.tflite.model.open_model", lambda *_: None)
    monkeypatch.setattr(
        faces, "embedded", lambda pixels, _: faces.unit_length(pixels.mean((0, 1))[None])
    )

    def run(labels, people, colours):
        pixels = np.tile(np.uint8(colours)[:, None, None], (1, 4, 4, 1))
        part.write(tmp_path / "train", {"picture": pixels})
        np.save(tmp_path / "train/truth_person.npy", np.int64(people))
        (tmp_path / "train/labels.txt").write_text("".join(f"{one}\n" for one in labels))
        out = tmp_path / "gallery", tmp_path / "decision.json"
        metrics = extend(tmp_path / "train", tmp_path / "models", unpacked, *out)
        return metrics, faces.read(out[0], len(labels)), json.loads(out[1].read_text()), said

    return run


OLD, NEW = ["person_01", "ann"], ["person_01", "ann", "zoe"]


def test_a_package_is_taken_apart_and_its_models_are_copied(package, unpacked, tmp_path):
    assert (tmp_path / "models/embedder/int8.tflite").read_bytes() == b"net"
    assert [one.name for one in (tmp_path / "models").iterdir()] == ["embedder"]
    for name in ("gallery.npy", "gallery_people.npy"):
        assert (unpacked / name).read_bytes() == (package / "data" / name).read_bytes()


def test_a_package_for_another_task_is_refused(package, tmp_path):
    packages.seal(package, {"v": 2, "task": "classify", "models": {}})
    with pytest.raises(StageError, match="for the task 'classify'"):
        unpack(package, tmp_path / "models", tmp_path / "packed")


def test_the_embeddings_of_the_package_stay_and_new_ones_follow(extended, package):
    metrics, gallery, decision, said = extended(NEW, [2], [[0, 20, 200]])
    before = faces.read(package / "data", 2)
    assert gallery.embeddings[:2].tobytes() == before.embeddings.tobytes()
    assert gallery.people.tolist() == [0, 1, 2] and decision == CONSTANTS and said == []
    assert (metrics["people"], metrics["added"], metrics["new_people"]) == (3, 1, 1)


def test_further_faces_of_a_packed_person_are_added_and_named(extended):
    metrics, gallery, _, said = extended(OLD, [1, 1], [[60, 200, 0], [20, 200, 0]])
    assert gallery.people.tolist() == [0, 1, 1]
    assert (metrics["added"], metrics["known"], metrics["new_people"]) == (1, 1, 0)
    assert said == ["added further faces of people whom the package already had: ann"]


def test_a_new_person_with_the_face_of_another_is_named(extended):
    metrics, _, _, said = extended(NEW, [2], [[200, 30, 0]])
    assert metrics["alike"] == 1 and ": zoe, person_01 (0.99" in said[0]


def test_a_packed_person_is_known_however_the_name_is_composed(unpacked):
    (unpacked / "labels.txt").write_text("ann\nZoe\u0308\n", encoding="utf-8")
    assert packed_people(unpacked).with_new(["Zo\u00eb"]) == ["ann", "Zo\u00eb"]


def test_a_gallery_of_another_width_is_refused(extended, unpacked):
    Gallery(np.float32([[1, 0], [0, 1]]), np.int64([0, 1])).write(unpacked)
    with pytest.raises(StageError, match=r"has 2 values.*makes 3: package the model again"):
        extended(NEW, [2], [[0, 20, 200]])


def test_faces_that_are_all_in_the_package_are_refused(extended):
    with pytest.raises(StageError, match="already has all of these faces"):
        extended(OLD, [0], [[200, 20, 0]])


@pytest.fixture
def pictures(tmp_path):
    face_sample(tmp_path / "people", count=4, each=4, side=64)
    for path in (tmp_path / "people").iterdir():
        if path.name not in ("person_01", "person_02"):
            for picture in path.iterdir():
                picture.unlink()
            path.rmdir()
    return tmp_path / "people"


def test_only_new_people_test_and_packed_names_keep_their_places(pictures, unpacked, tmp_path):
    metrics = people(pictures, tmp_path / "a", tmp_path / "b", packed=unpacked)
    truth = json.loads((tmp_path / "b/truth.json").read_text())
    assert truth["labels"] == ["person_01", "ann", "person_02"]
    assert part.read(tmp_path / "a").tensors["picture"].shape == (2, 32, 32, 3)  # the packed size
    tested = {name.partition("/")[0] for name in truth["names"] if not name.startswith("drawn")}
    assert tested == {"person_02"} and metrics["val_faces"] == 0
    assert not (tmp_path / "a/validation").exists()


def test_one_person_is_enough_to_extend(pictures, unpacked, tmp_path):
    (tmp_path / "one/zoe").mkdir(parents=True)
    Image.open(pictures / "person_02/00.png").save(tmp_path / "one/zoe/1.png")
    metrics = people(tmp_path / "one", tmp_path / "a", tmp_path / "b", packed=unpacked)
    assert (metrics["people"], metrics["gallery_faces"], metrics["test_faces"]) == (3, 1, 0)


def test_a_folder_of_nobody_is_refused(unpacked, tmp_path):
    (tmp_path / "none/zoe").mkdir(parents=True)
    with pytest.raises(StageError, match="none has pictures of nobody"):
        people(tmp_path / "none", tmp_path / "a", tmp_path / "b", packed=unpacked)
