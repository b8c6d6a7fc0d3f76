"""Enrolling: the gallery, the calibrated threshold, and pictures that may show somebody else."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.faces.enrol import enrol
from stages.tasks import faces
from stages.tflite import part


@pytest.fixture
def train(tmp_path):
    """Two enrolled people, and a validation part of `held` faces; a face is one colour, its embedding."""

    def make(held):
        for folder, people in ((tmp_path / "train", [0, 1]), (tmp_path / "train/validation", held)):
            colours = np.uint8([[200, 20, 0], [20, 200, 0]])[people]
            part.write(folder, {"picture": np.tile(colours[:, None, None], (1, 4, 4, 1))})
            np.save(folder / "truth_person.npy", np.int64(people))
            names = {"names": [f"{at}.png" for at in range(len(people))]}
            (folder / "truth.json").write_text(json.dumps(names))
        return tmp_path / "train"

    return make


@pytest.fixture
def enrolled(tmp_path, monkeypatch):
    """Run the stage with a model whose embedding is the face's mean colour."""
    (tmp_path / "models/embedder").mkdir(parents=True)
    (tmp_path / "models/embedder/int8.tflite").write_bytes(b"")
    monkeypatch.setattr("stages.tflite.model.open_model", lambda *_: None)
    monkeypatch.setattr(
        faces, "embedded", lambda pixels, _: faces.unit_length(pixels.mean((0, 1))[None])
    )

    def run(train, known=0.7, **params):
        out = [tmp_path / name for name in ("gallery", "original", "decision.json")]
        face = tmp_path / "face.json"
        face.write_text(json.dumps({"threshold": known}))
        return enrol(train, tmp_path / "models", face, *out, **params), out

    return run


def test_the_gallery_has_an_embedding_of_each_enrolled_face(train, enrolled):
    metrics, (gallery, *_) = enrolled(train([0]))
    assert (metrics["embeddings"], metrics["people"]) == (2, 2)
    found = faces.read(gallery, 2)
    assert found.people.tolist() == [0, 1]
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), 1, atol=1e-6)


def test_the_threshold_is_between_strangers_and_enrolled_people(train, enrolled):
    metrics, (_, _, decision) = enrolled(train([0, 1] * 15), false_accept=0.01)
    crosswise = 8000 / (200**2 + 20**2)
    assert metrics["threshold"] == pytest.approx((crosswise + 1) / 2, abs=1e-5)
    assert json.loads(decision.read_text())["threshold"] == metrics["threshold"]
    assert metrics["calibrated_on"] == 32  # the two of the gallery, too


def test_too_few_faces_leave_the_default(train, enrolled):
    metrics, _ = enrolled(train([0, 1]))
    assert (metrics["threshold"], metrics["calibrated_on"]) == (0.7, 0)


def test_the_user_may_set_the_default(train, enrolled):
    metrics, _ = enrolled(train([0, 1]), threshold=0.9)
    assert metrics["threshold"] == 0.9


def test_an_unknown_network_needs_more_faces_or_a_threshold(train, enrolled):
    with pytest.raises(StageError, match=r"set params\.threshold"):
        enrolled(train([0, 1]), known=None)
