"""Keras models of users: in which form the loss gets the truth, what the outputs are, and what is refused."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom._learnt import Parts
from stages.custom._network import Settings, learn
from stages.training import network as training

pytestmark = pytest.mark.slow
X = np.random.default_rng(0).normal(3, 2, (200, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def _keras():
    pytest.importorskip("keras", reason="the extra 'train' is not installed")


def _logits(name):
    """Return a loss that takes logits; Keras takes seconds to import, so not when tests are collected."""

    def loss():
        import keras

        return getattr(keras.losses, name)(from_logits=True)

    return loss


def _parts(classes):
    y = np.digitize(X[:, 0], [3] if classes == 2 else [2, 4]) if classes else X[:, 0] * 2.0
    names = ("a", "b", "c")[:classes]
    return Parts(X, y, X[:5], "y", names, are_numbers=False)


def _network(outputs, activation, loss, size=4):
    import keras

    layers = [
        keras.Input((size,)),
        keras.layers.Normalization(mean=3.0, variance=4.0),
        keras.layers.Dense(outputs, activation=activation),
    ]
    made = keras.Sequential(layers)
    made.compile(keras.optimizers.Adam(0.1), loss() if callable(loss) else loss)
    return made


def _learn(network, classes, folder, **changed):
    settings = {"epochs": 15, "batch_size": 32, "val_share": 0.2, "patience": None, "seed": 0}
    return learn(
        network, _parts(classes), folder / "model", folder, Settings(**{**settings, **changed})
    )


@pytest.mark.parametrize(
    ("classes", "outputs", "activation", "loss", "form"),
    [
        (3, 3, "softmax", "sparse_categorical_crossentropy", "probabilities"),
        (3, 3, "softmax", "categorical_crossentropy", "probabilities"),
        (3, 3, None, _logits("SparseCategoricalCrossentropy"), ""),
        (3, 3, None, _logits("CategoricalCrossentropy"), ""),
        (2, 1, "sigmoid", "binary_crossentropy", "probabilities"),
        (2, 1, None, _logits("BinaryCrossentropy"), ""),
        (2, 2, "softmax", "mse", "probabilities"),
        (0, 1, None, "mae", ""),
    ],
)
def test_the_loss_gets_the_truth_in_its_form(tmp_path, classes, outputs, activation, loss, form):
    found = _learn(_network(outputs, activation, loss), classes, tmp_path)
    assert (found.outputs, found.form, found.epochs) == (outputs, form, 15)
    answers = training.load(tmp_path / "model").predict(X, verbose=0)
    y = _parts(classes).y
    if not classes:
        assert np.abs(answers[:, 0] - y).mean() < np.abs(y - np.median(y)).mean()
    elif outputs == 1:
        assert ((answers[:, 0] > (0.5 if form else 0)) == y).mean() > 0.85
    else:
        assert (answers.argmax(1) == y).mean() > 0.7


def test_training_ends_early_and_keeps_the_best_epoch(tmp_path):
    network = _network(1, None, "mae")
    network.optimizer.learning_rate = 30.0  # each epoch undoes the last one
    found = _learn(network, 0, tmp_path, epochs=50, patience=1)
    assert found.epochs < 50 and found.val_loss is not None


def test_without_a_validation_part_there_is_no_validation_loss(tmp_path):
    assert _learn(_network(1, None, "mae"), 0, tmp_path, val_share=0.0).val_loss is None


@pytest.mark.parametrize(
    ("network", "word"),
    [
        ({"outputs": 3, "size": 5}, r"shape \[5\]"),
        ({"outputs": 5}, r"Dense\(3\)"),
        ({"outputs": 1}, r"Dense\(3\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(tmp_path, network, word):
    with pytest.raises(StageError, match=word):
        _learn(_network(**network, activation=None, loss="mse"), 3, tmp_path)


def test_a_model_that_is_not_compiled_is_refused(tmp_path):
    import keras

    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(StageError, match="compile"):
        _learn(network, 3, tmp_path)


def test_missing_values_are_refused(tmp_path):
    gaps = np.where(X > 5, np.nan, X)
    parts = Parts(gaps, _parts(3).y, X, "y", ("a", "b", "c"), are_numbers=False)
    settings = Settings(1, 32, 0.2, None, 0)
    with pytest.raises(StageError, match="NaN"):
        learn(_network(3, None, "mse"), parts, tmp_path / "model", tmp_path, settings)


def test_a_loss_that_is_no_number_is_refused(tmp_path):
    def loss(truth, predicted):
        return predicted * float("nan")

    network = _network(1, None, lambda: loss)
    with pytest.raises(StageError, match="learning rate"):
        _learn(network, 0, tmp_path, epochs=1)


def test_layers_of_the_user_are_saved_with_their_code(tmp_path):
    import keras

    class Twice(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = Twice(), keras.layers.Dense(1)

        def call(self, x):
            return self.last(self.first(x))

    network = Net()
    network.compile("adam", "mse")
    assert _learn(network, 0, tmp_path, epochs=1).outputs == 1
    assert (tmp_path / "model" / "saved_model.pb").is_file()
