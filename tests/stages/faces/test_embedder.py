"""The embedder: a known network's weights, a ready model, or small and trained on drawn faces."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.faces import _drawn, _small
from stages.faces import embedder as stage
from stages.faces.embedder import embedder

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")


@pytest.fixture
def not_fixed(monkeypatch):
    monkeypatch.setattr("stages.training.network.fix", lambda *_: None)  # TensorFlow is in use


@pytest.mark.parametrize("manifest", [None, "[]", "{", '[{"weights": []}]'])
def test_the_weights_of_an_unknown_network_are_refused(tmp_path, not_fixed, manifest):
    if manifest:
        (tmp_path / "manifest.json").write_text(manifest)
        (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(StageError, match=r"faceres_dlib, faceres, dlib_faces or a \.tflite file"):
        embedder(tmp_path, tmp_path / "model", tmp_path / "face.json")


def test_without_weights_a_small_network_is_trained_on_drawn_faces(
    tmp_path, monkeypatch, not_fixed
):
    said: list[str] = []
    monkeypatch.setattr(stage, "note", said.append)
    monkeypatch.setattr(_small, "PEOPLE", 3)
    metrics = embedder(None, tmp_path / "model", tmp_path / "face.json", epochs=1)
    assert metrics["parameters"] < 200_000 and "does not recognise people" in said[0]
    assert (tmp_path / "model" / "architecture.json").is_file()
    face = json.loads((tmp_path / "face.json").read_text())
    assert face == {**_small.INPUT.constants(), "threshold": _small.THRESHOLD}


def test_a_drawn_person_is_the_same_in_the_same_picture_only():
    faces = [_drawn.face(*of, 32, 1) for of in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert np.array_equal(faces[0], faces[1])
    assert not np.array_equal(faces[0], faces[2]) and not np.array_equal(faces[0], faces[3])
