"""The embedder: rebuilt from published weights at their size, or small and trained on drawn faces."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.faces import _drawn
from stages.faces import embedder as stage
from stages.faces.embedder import embedder

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")


def test_another_size_than_that_of_the_weights_is_refused(tmp_path):
    with pytest.raises(StageError, match="150 pixels, not 112"):
        embedder(tmp_path, tmp_path / "model", size=112)


def test_without_weights_a_small_network_is_trained_on_drawn_faces(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(stage, "note", said.append)
    monkeypatch.setattr(stage, "PEOPLE", 3)
    monkeypatch.setattr("stages.training.network.fix", lambda *_: None)  # TensorFlow is in use
    metrics = embedder(None, tmp_path / "model", size=32, epochs=1)
    assert metrics["parameters"] < 200_000 and "does not recognise people" in said[0]
    assert (tmp_path / "model" / "architecture.json").is_file()


def test_a_drawn_person_is_the_same_in_the_same_picture_only():
    faces = [_drawn.face(*of, 32, 1) for of in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert np.array_equal(faces[0], faces[1])
    assert not np.array_equal(faces[0], faces[2]) and not np.array_equal(faces[0], faces[3])
