"""Fine-tuning: the network gets a head, and what cannot be fine-tuned is refused with the way out."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.faces.finetune import finetune
from stages.tflite import part
from stages.training import network as networks

keras = pytest.importorskip("keras", reason="the extra 'train' is not installed")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network whose embedding is the picture, (1, 2, 2, 3) -> (1, 12)."""
    monkeypatch.setattr(networks, "fix", lambda *_: None)  # TensorFlow is in use
    inputs = keras.Input((2, 2, 3), name="picture")
    networks.save(keras.Model(inputs, keras.layers.Flatten()(inputs)), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def train(tmp_path):
    def make(people):
        random = np.random.default_rng(0)
        owners = np.repeat(np.arange(people), 4)
        colours = random.integers(0, 255, (people, 2, 2, 3))[owners]
        noise = random.integers(-20, 20, (len(owners), 1, 1, 3))
        pixels = np.clip(colours + noise, 0, 255).astype(np.uint8)
        part.write(tmp_path / "train/training", {"picture": pixels})
        np.save(tmp_path / "train/training/truth_person.npy", owners)
        return tmp_path / "train"

    return make


def test_the_head_is_added_to_the_network(model, train, tmp_path):
    metrics = finetune(model, train(6), tmp_path / "tuned")
    assert (metrics["people"], metrics["faces"]) == (6, 24)
    tuned = networks.load(tmp_path / "tuned")
    picture = np.random.default_rng(1).uniform(0, 255, (1, 2, 2, 3)).astype(np.float32)
    embedding = np.asarray(tuned(picture))
    assert embedding.shape == (1, 12)
    cosine = np.corrcoef(embedding[0], picture.ravel())[0, 1]
    assert 0.5 < cosine < 0.9999  # changed, but not another one


@pytest.mark.parametrize("people", [0, 3])
def test_too_few_people_are_refused(model, train, tmp_path, people):
    folder = train(people) if people else tmp_path
    with pytest.raises(StageError, match=rf"^{people} people have .*params\.method=published"):
        finetune(model, folder, tmp_path / "tuned")


def test_one_person_is_too_few_in_the_singular(model, train, tmp_path):
    with pytest.raises(StageError, match=r"^1 person has faces"):
        finetune(model, train(1), tmp_path / "tuned")


def test_a_ready_model_is_refused(train, tmp_path):
    (tmp_path / "ready").mkdir()
    with pytest.raises(StageError, match=r"assets\.embedder is a \.tflite file"):
        finetune(tmp_path / "ready", train(6), tmp_path / "tuned")
