"""Trains the intent classifier, and finds from which confidence on it answers."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.text._course import Sentences


FEWEST = 100  # validation sentences in scope with which a threshold can be found


class TrainMetrics(TypedDict):
    """val_accuracy and val_loss on the validation sentences in scope, of the network that has not learnt
    them; on all sentences, by cross-validation, if fewer than 100 are held out. The threshold of the
    confidence, and the size of the network.
    """

    val_accuracy: float
    val_loss: float
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
                     least 5 validation sentences are out of scope, the threshold that separates both
                     kinds best, otherwise 0.95
    refit:           once the validation sentences have been used to find the threshold, train the
                     network again, in the same way, on training and validation sentences together
    seed:            of weights, order and dropout
    threads:         CPU threads of TensorFlow; their number changes the order of summation

    Sentences out of scope are taught to be equally like all intents (Hendrycks et al., "Deep Anomaly
    Detection with Outlier Exposure", ICLR 2019). The same seed and number of threads give the same
    bytes, even if the training was killed and resumed. StageError: fewer than two intents; the loss
    becomes NaN or infinite.

    With fewer than 100 validation sentences in scope, the threshold is found by cross-validation: five
    more networks each judge a fifth of all sentences, which they have not learnt.
    """
    import json
    from functools import partial

    from stages.text import _calibration, _folds, _network
    from stages.text._course import Course, Settings, figures
    from stages.training import network as training

    training.fix(seed, threads)
    settings = Settings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        feature_dropout=feature_dropout,
        dropout=dropout,
        seed=seed,
    )
    learnt, held = _sentences(train), _sentences(train / "validation")
    _check(learnt)
    everything = learnt.joined(held)
    build = partial(_network.build, learnt.features.size, hidden, learnt.classes)
    if (held.intents >= 0).sum() >= FEWEST:
        course = Course(label_smoothing, settings, 1 + refit)
        network = build()
        course.train(network, learnt, held)
        judged, logits = held, held.outputs(network)
    else:
        note(f"fewer than {FEWEST} validation sentences: judging by cross-validation instead")
        course = Course(label_smoothing, settings, _folds.FOLDS + 1)
        judged, logits = everything, _folds.out_of_fold(everything, build, course, seed)
        network = None
    if refit or network is None:
        network = build()
        course.train(network, everything if refit else learnt, None)
    decided, basis = _calibration.calibrated(logits, judged.intents, coverage)
    note(f"sentences are answered from a confidence of {decided.threshold:.1%}; found with {basis}")
    decision.write_text(json.dumps(decided.as_constants()), encoding="utf-8")
    _network.rescale(network, _scale())
    training.save(network, model)
    return TrainMetrics(
        **figures(logits, judged.intents),
        threshold=decided.threshold,
        parameters=float(network.count_params()),
    )


def _sentences(folder: "Path") -> "Sentences":
    """Return the sentences of a part; none if it is missing."""
    import numpy as np

    from stages.text._course import Sentences
    from stages.text._sparse import sparse
    from stages.tflite import part

    if not folder.is_dir():
        (size,) = part.read(folder.parent).tensors["sentence"].shape[1:]
        nothing = sparse(np.zeros((0, size), np.uint8), 1)
        return Sentences(nothing, np.zeros(0, np.int64), _classes(folder.parent))
    features = sparse(part.read(folder).tensors["sentence"], _scale())
    return Sentences(features, np.load(folder / "truth_intent.npy"), _classes(folder))


def _classes(folder: "Path") -> int:
    return len((folder / "labels.txt").read_text(encoding="utf-8").splitlines())


def _scale() -> float:
    """Return by what an input of 0 to 255 is multiplied for training."""
    from stages.tasks.text.features import UNIT
    from stages.text._network import SPREAD

    return SPREAD / UNIT


def _check(learnt: "Sentences") -> None:
    import numpy as np

    known = np.unique(learnt.intents[learnt.intents >= 0])
    if len(known) < 2:
        raise StageError(
            f"the training sentences have {len(known)} intents: add sentences until there are two or more"
        )
