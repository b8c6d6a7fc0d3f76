"""Trains a picture classifier: first its last layer, then the whole network."""

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from engine.stage import In, Out, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.vision._augment import Changed
    from stages.vision._course import Course, Pictures


class TrainMetrics(TypedDict):
    """val_accuracy and val_loss of the kept weights, their accuracy with simulated int8 arithmetic,
    their epoch (0: before the first), and the size of the network.
    """

    val_accuracy: float
    val_loss: float
    val_int8_accuracy: float
    best_epoch: float
    parameters: float


def train(
    train: In,
    model: Out,
    decision: Annotated[Out, Suffix(".json")],
    weights: In | None = None,
    *,
    backbone: Literal["small", "mobilenet_v1", "mobilenet_v2"] = "mobilenet_v2",
    alpha: Annotated[float, Range(gt=0, le=2)] = 1.0,
    views: Annotated[int, Range(ge=1, le=64)] = 2,
    epochs: Annotated[int, Range(ge=0)] = 10,
    tuned_share: Annotated[float, Range(gt=0, le=1)] = 0.6,
    qat_epochs: Annotated[int, Range(ge=0)] = 6,
    learning_rate: Annotated[float, Range(gt=0, le=1)] = 3e-3,
    tuning_rate: Annotated[float, Range(gt=0, le=1)] = 3e-4,
    qat_rate: Annotated[float, Range(gt=0, le=1)] = 3e-5,
    batch_size: Annotated[int, Range(ge=1)] = 16,
    dropout: Annotated[float, Range(ge=0, lt=1)] = 0.2,
    label_smoothing: Annotated[float, Range(ge=0, lt=1)] = 0.05,
    patience: Annotated[int, Range(ge=1)] = 5,
    augment: bool = True,
    flip: bool = True,
    balance: bool = True,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 2,
) -> TrainMetrics:
    """Fit the last layer on a frozen backbone, then train the upper layers too; keep the epoch with the
    lowest validation loss.

    train:    the part that stages.vision.dataset writes
    weights:  a Keras file of the backbone without its top, or a .tflite of the backbone with any top;
              without it, the network is trained from random weights, in one phase
    model:    architecture.json and weights_*.npy, (1, size, size, 3) pixels -> (1, classes)
    decision: JSON: threshold, the probability below which a picture is none of the classes

    backbone: the network below the last layer; small: a few layers, for training without weights
    alpha:    width of the backbone, relative to the published one
    views:    number of times that the frozen backbone sees each picture: first unchanged, then
              augmented; the last layer is fitted to the features of all views
    epochs:   epochs of the second phase, which also trains the backbone. Its kernels are rounded as in
              int8 in every step, so that they still work after quantisation
    learning_rate: learning rate without pretrained weights
    tuned_share: share of the backbone's layers that the second phase trains, counted from the top
    tuning_rate: learning rate of the second phase
    qat_epochs: epochs of quantisation-aware training, the third phase; it runs only if int8
              arithmetic, simulated, loses more than a point of validation accuracy
    qat_rate: learning rate of the third phase
    batch_size: pictures per step
    dropout:  share of the backbone's features that a step drops
    label_smoothing: share of the target that is spread over all classes
    patience: epochs without a lower validation loss after which a phase ends
    augment:  rotate, shift, zoom and brighten training pictures at random
    flip:     also mirror them; not for letters, signs and the like
    balance:  give rare classes the same total weight as frequent ones
    seed:     for the initial weights, the order and the augmentation
    threads:  of TensorFlow; their number changes the order of summation

    The batch normalisation of a pretrained backbone keeps its statistics (Keras' guide to transfer
    learning). The same seed and number of threads give the same bytes, even if the training is
    interrupted and resumed. StageError: weights of another backbone; the loss is not a number.
    """
    import json
    from functools import partial

    from stages.training import fake_quantisation
    from stages.training import network as training
    from stages.vision import _augment, _network, _rounding, _threshold
    from stages.vision._course import Course, Settings, figures

    training.fix(seed, threads)
    labels = (train / "labels.txt").read_text(encoding="utf-8").splitlines()
    learnt, held = _pictures(train, balance), _pictures(train / "validation", False)
    judged = held if len(held) else learnt
    side = learnt.pictures.shape[1]
    network, body = _network.build(backbone, alpha, side, len(labels), dropout, weights)
    settings = Settings(batch_size, patience, label_smoothing, seed)
    course = Course(network, learnt, judged, settings)
    changed = partial(_augment.inputs, augment, flip)
    if weights:
        _fit_head(course, views if augment else 1, changed)
    _network.thaw(body, tuned_share if weights else 1.0, is_ready=weights is not None)
    rate, warmup = (tuning_rate, 1) if weights else (learning_rate, 0)
    learner = fake_quantisation.with_rounded_kernels(network)
    course.run(course.phase("tuning", epochs, rate, changed, learner, warmup))
    _network.thaw(body, 1.0, is_ready=True)
    int8_accuracy = _rounding.compensate(course, qat_epochs, qat_rate, changed)
    if not len(held):
        note("there are no validation pictures: val_accuracy is measured on the training pictures")
    scores = network.predict(judged.pictures, batch_size=32, verbose=0)
    decision.write_text(json.dumps({"threshold": _threshold.threshold(scores)}), encoding="utf-8")
    training.save(network, model)
    return TrainMetrics(
        **figures(scores, judged.classes),
        val_int8_accuracy=int8_accuracy,
        best_epoch=course.best["epoch"],
        parameters=float(network.count_params()),
    )


def _fit_head(course: "Course", views: int, changed: "Changed") -> None:
    """Fit the last layer to features of the frozen backbone, unless an interrupted run already did."""
    import json

    import numpy as np

    from engine.stage import checkpoint, durable_file
    from stages.vision import _head, _network
    from stages.vision._features import Features

    file, layer = checkpoint() / "head.npz", course.network.get_layer("logits")
    if not file.is_file():
        lower = _network.lower(course.network)
        features = Features(
            lower, course.train, course.judged, views, changed, course.settings.seed
        )
        classes, weight = (
            np.tile(one, views) for one in (course.train.classes, course.train.weight)
        )
        judged = features.judged, course.judged.classes
        values, row = _head.fit(features.train, classes, weight, judged, layer.units)
        with durable_file(file) as to:
            np.savez(to, kernel=values[0], bias=values[1], row=np.array(json.dumps(row)))
    with np.load(file) as saved:
        layer.set_weights([saved["kernel"], saved["bias"]])
        course.begin(json.loads(str(saved["row"])))


def _pictures(folder: "Path", balance: bool) -> "Pictures":
    """Return the pictures of a part, none if the part is missing; balance: rare classes weigh more."""
    import numpy as np

    from stages.tflite import part
    from stages.vision._course import Pictures

    if not folder.is_dir():
        return Pictures(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, np.int64), np.zeros(0))
    classes = np.load(folder / "truth_class.npy")
    weight = np.ones(len(classes), np.float32)
    if balance:
        counts = np.bincount(classes)
        weight = (len(classes) / (np.count_nonzero(counts) * counts[classes])).astype(np.float32)
    return Pictures(part.read(folder).tensors["picture"], classes, weight)
