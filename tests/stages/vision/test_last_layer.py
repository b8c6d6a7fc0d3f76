"""The last layer, learnt on embeddings whose classes are known."""

import json

import numpy as np
import pytest

from stages.tasks import head
from stages.tflite import part
from stages.vision import _embeddings, _packed, _regression
from stages.vision._packed import Packed
from stages.vision.last_layer import last_layer

SIZE = 12


def write(folder, counts, labels, seed=0):
    """Write embeddings around a direction for each class: so many of each."""
    chance = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(counts)), counts)
    centres = 1 + 2 * np.eye(SIZE)[: len(labels)]  # all values are positive, as a network's are
    x = (centres[classes] + chance.uniform(0, 0.8, (len(classes), SIZE))).astype(np.float32)
    part.write(folder, {"embedding": x})
    np.save(folder / "truth_class.npy", classes)
    truth = {"digests": [f"{folder.name}{seed}-{at}" for at in range(len(classes))]}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    (folder / "about.json").write_text(json.dumps({"extractor_sha256": "e"}))


@pytest.fixture
def learn(tmp_path, monkeypatch):
    """Learn from so many embeddings of each class; return metrics, layer and decision."""

    def made(to, counts, labels, packed=None, validation=5):
        folder = tmp_path / to
        write(folder / "embeddings", counts, labels, seed=len(labels))
        held = [validation if count else 0 for count in counts]
        write(folder / "embeddings/validation", held, labels, seed=1 + len(labels))
        monkeypatch.setattr("stages.vision._packed.open_packed", lambda _: packed)
        layer, decision = folder / "head", folder / "decision.json"
        metrics = last_layer(folder / "embeddings", layer, decision, packed and folder)
        return metrics, head.read(layer), json.loads(decision.read_text())

    return made


def test_separable_classes_are_told_apart(learn):
    metrics, layer, decision = learn("one", [20, 20, 20], "abc")
    assert metrics["val_accuracy"] == 1
    assert layer.weights.shape == (3, SIZE) and layer.weights.dtype == np.float32
    about = {"method": "last_layer", "extractor_sha256": "e", "kept": 0}
    assert decision["head"] == about and 0 < decision["threshold"] <= 1


def test_the_result_has_the_same_bytes_each_time(learn):
    one, two = (learn(to, [9, 9], "ab")[1] for to in ("one", "two"))
    assert one.weights.tobytes() == two.weights.tobytes()


def test_a_rare_class_weighs_as_much_as_a_frequent_one(learn, tmp_path):
    learn("one", [60, 3], "ab")
    learning = _embeddings.read(tmp_path / "one/embeddings", None)
    weight = _regression.problem(learning, learning.learnt, None).weight
    assert (weight[:60].sum(), weight[60:].sum()) == pytest.approx((0.5, 0.5))


class Before(Packed):
    """The classes that a run made before, without the package around them."""

    labels = property(lambda self: ["a", "b", "c"])
    threshold = property(lambda self: 0.25)


@pytest.fixture
def before(learn, tmp_path):
    learn("before", [20, 20, 20], "abc")
    return Before(None, tmp_path / "before/head")


@pytest.mark.parametrize("counts", [[20, 20, 20, 20], [0, 0, 0, 20], [0, 5, 0, 20]])
def test_only_the_columns_of_new_classes_are_learnt(learn, before, counts):
    metrics, layer, decision = learn("after", counts, "abcd", before)
    kept = before.layer
    assert layer.weights[:3].tobytes() == kept.weights.tobytes()
    assert layer.bias[:3].tobytes() == kept.bias.tobytes()
    assert (metrics["val_accuracy"], decision["head"]["kept"]) == (1, 3)


def test_old_classes_are_still_found_without_their_pictures(learn, before, tmp_path):
    _, layer, _ = learn("after", [0, 0, 0, 20], "abcd", before)
    held = tmp_path / "before/embeddings/validation"
    scores = layer.probabilities(np.load(held / "embedding.npy"))
    assert (scores.argmax(1) == np.load(held / "truth_class.npy")).mean() == 1


def test_the_threshold_is_not_raised_for_classes_that_cannot_be_measured(learn, before):
    assert learn("after", [0, 0, 0, 20], "abcd", before)[2]["threshold"] <= 0.25


def test_digests_and_means_of_old_classes_are_carried_along(learn, before, tmp_path):
    learn("after", [0, 0, 0, 2], "abcd", before)
    seen = json.loads((tmp_path / "after/head" / _packed.SEEN).read_text())
    assert set(before.seen["train"]) < set(seen["train"]) and len(seen["train"]) == 60 + 2
    means = np.load(tmp_path / "after/head" / _packed.MEANS)
    assert means[:3].tobytes() == before.means.tobytes() and means.shape == (4, SIZE)


def test_the_gradient_is_the_slope_of_the_loss():
    """One step from zero, compared with differences of the loss itself."""
    chance = np.random.default_rng(0)
    x, classes = chance.normal(size=(8, 4)), np.arange(8) % 3
    weight = np.full((8, 1), 1 / 8)
    given = _regression.Problem(
        x,
        np.eye(3)[classes],
        weight,
        np.zeros((8, 0)),
        x,
        classes,
        np.zeros((8, 0)),
        np.zeros(4),
        np.eye(4),
    )
    found = _regression.descend(given, 0.1, 1, 1)

    def loss(weights):
        columns = _regression.Columns(weights, np.zeros(3))
        scores = _regression._probabilities(x, columns, given.fixed)
        return -np.log(scores[np.arange(8), classes]).mean() + 0.05 * (weights**2).sum()

    slope = np.zeros((4, 3))
    for at in np.ndindex(4, 3):
        step = np.zeros((4, 3))
        step[at] = 1e-6
        slope[at] = (loss(step) - loss(-step)) / 2e-6
    rate = 1 / (_regression._curvature(given) + 0.1)
    assert found.columns.weights == pytest.approx(-rate * slope, abs=1e-6)
