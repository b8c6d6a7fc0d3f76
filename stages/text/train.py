"""Trains the intent classifier, and finds from which confidence on it answers."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.text._course import Sentences


class TrainMetrics(TypedDict):
    """val_accuracy and val_loss on the validation sentences in scope (on the training sentences if there
    are none) of the network that has not learnt them, its accuracy with simulated int8 arithmetic, the
    threshold of the confidence, and the size of the network.
    """

    val_accuracy: float
    val_loss: float
    val_int8_accuracy: float
    threshold: float
    parameters: float


def train(
    train: In,
    model: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    hidden: Annotated[int, Range(ge=1, le=4096)] = 384,
    epochs: Annotated[int, Range(ge=1)] = 20,
    batch_size: Annotated[int, Range(ge=1)] = 256,
    learning_rate: Annotated[float, Range(gt=0, le=1)] = 3e-3,
    weight_decay: Annotated[float, Range(ge=0, le=1)] = 1e-2,
    feature_dropout: Annotated[float, Range(ge=0, lt=1)] = 0.5,
    dropout: Annotated[float, Range(ge=0, lt=1)] = 0.2,
    label_smoothing: Annotated[float, Range(ge=0, lt=1)] = 0.1,
    coverage: Annotated[float, Range(gt=0, le=1)] | None = None,
    refit: bool = True,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 2,
) -> TrainMetrics:
    """Train a network with one hidden layer on the sentences' features, and calibrate its answers.

    train:    the part that stages.text.dataset writes
    model:    architecture.json and weights_*.npy: (1, features) of 0 to 255 -> logits (1, intents)
    decision: JSON, stages.tasks.text.decision: confidence from which a sentence is answered

    hidden:          units of the hidden layer
    epochs:          passes over the sentences; more, if they are few
    batch_size:      sentences per step; fewer if there are few sentences
    learning_rate:   initial one; it follows a cosine
    weight_decay:    of AdamW
    feature_dropout: share of a sentence's features that a step drops
    dropout:         share of the hidden units that a step drops
    label_smoothing: share of a label that is spread over all intents
    coverage:        share of the validation sentences in scope that are to be answered. null: if at
                     least 10 validation sentences are out of scope, the threshold that separates both
                     kinds best, otherwise 0.95
    refit:           once the validation sentences have calibrated the answers, train the network again,
                     in the same way, on training and validation sentences together
    seed:            of weights, order and dropout
    threads:         CPU threads of TensorFlow; their number changes the order of summation

    Sentences out of scope are taught to be equally like all intents (Hendrycks et al., "Deep Anomaly
    Detection with Outlier Exposure", ICLR 2019). The same seed and number of threads give the same
    bytes, even if the training was killed and resumed. StageError: fewer than two intents; the loss
    becomes NaN or infinite.
    """
    import json

    from stages.text import _calibration, _network
    from stages.text._course import Course, Settings
    from stages.training import network as training

    training.fix(seed, threads)
    learnt, held = _sentences(train), _sentences(train / "validation")
    judged = held if held and (held.intents >= 0).any() else learnt
    if learnt is None or judged is None or learnt.classes < 2:
        raise StageError(
            "there is no choice between fewer than two intents: add sentences of others"
        )
    settings = Settings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        feature_dropout=feature_dropout,
        dropout=dropout,
        seed=seed,
    )
    more = held if refit else None
    course = Course(label_smoothing, settings, 2 if more else 1)
    network = _network.build(learnt.features.size, hidden, learnt.classes)
    course.train(network, learnt, judged)
    figures = judged.judged(network)
    if judged is learnt:
        note("no validation sentence is in scope: all figures here are those of training sentences")
    logits = _network.outputs(network, judged.all())
    decided, basis = _calibration.calibrated(logits, judged.intents, coverage)
    note(
        f"sentences are answered from a confidence of {decided.threshold:.1%}; calibrated on {basis}"
    )
    decision.write_text(json.dumps(decided.as_constants()), encoding="utf-8")
    finished = _unscaled(network)
    int8_accuracy = _int8_accuracy(finished, train, judged is learnt)
    if more:
        network = _network.build(learnt.features.size, hidden, learnt.classes)
        course.train(network, learnt.joined(more), None)
        finished = _unscaled(network)
    training.save(finished, model)
    return TrainMetrics(
        **figures,
        val_int8_accuracy=int8_accuracy,
        threshold=decided.threshold,
        parameters=float(network.count_params()),
    )


def _unscaled(network: Any) -> Any:
    """Return the network for features of 0 to 255."""
    from stages.text import _network

    _network.rescale(network, _network.SPREAD / _unit())
    return network


def _sentences(folder: "Path") -> "Sentences | None":
    """Return the sentences of a part, None if it is missing."""
    import numpy as np

    from stages.text import _network
    from stages.text._course import Sentences
    from stages.text._sparse import sparse
    from stages.tflite import part

    if not folder.is_dir():
        return None
    vectors = part.read(folder).tensors["sentence"]
    classes = len((folder / "labels.txt").read_text(encoding="utf-8").splitlines())
    features = sparse(vectors, _network.SPREAD / _unit())
    return Sentences(features, np.load(folder / "truth_intent.npy"), classes)


def _unit() -> float:
    from stages.tasks.text.features import UNIT

    return float(UNIT)


def _int8_accuracy(network: Any, train: "Path", on_training: bool) -> float:
    """Return the accuracy on the sentences in scope with the rounding of int8 arithmetic."""
    import numpy as np

    from stages.tflite import part
    from stages.training import fake_quantisation

    folder = train if on_training else train / "validation"
    shown = part.read(train).tensors["sentence"]
    twin = fake_quantisation.simulated(
        network, fake_quantisation.measured_on(shown, 200).astype(np.float32)
    )
    truth = np.load(folder / "truth_intent.npy")
    rows = np.flatnonzero(truth >= 0)
    vectors, right = part.read(folder).tensors["sentence"], 0
    for at in range(0, len(rows), 512):
        chunk = rows[at : at + 512]
        logits = np.asarray(twin(vectors[chunk].astype(np.float32), training=False))
        right += int((logits.argmax(1) == truth[chunk]).sum())
    return right / len(rows)
