"""Trains an object detector, starting from the published COCO detector or from random weights."""

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from engine.stage import In, Out, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from stages.detection.training._course import Course, Pictures
    from stages.detection.training._network import Detector

BOX_SCALES = (10.0, 10.0, 5.0, 5.0)  # of the offsets; as in the COCO detector


class TrainMetrics(TypedDict):
    """val_map50: mean average precision at an overlap of 0.5 of the kept weights on validation pictures;
    val_int8_map50: the same with simulated int8 arithmetic; best_epoch: 0 is before the first;
    anchor_recall: share of the training boxes that overlap an anchor by half; parameters: of the network;
    reproducible: 1, or 0 if `minutes` bounded the training.
    """

    val_map50: float
    val_int8_map50: float
    best_epoch: float
    anchor_recall: float
    parameters: float
    reproducible: float


def train(
    train: In,
    model: Out,
    decision: Annotated[Out, Suffix(".json")],
    anchors: Out,
    weights: In | None = None,
    *,
    backbone: Literal["small", "ssd_mobilenet_v1"] = "ssd_mobilenet_v1",
    epochs: Annotated[int, Range(ge=0)] = 20,
    learning_rate: Annotated[float, Range(gt=0, le=1)] = 3e-3,
    tuning_rate: Annotated[float, Range(gt=0, le=1)] = 3e-4,
    qat_epochs: Annotated[int, Range(ge=0)] = 8,
    qat_rate: Annotated[float, Range(gt=0, le=1)] = 1e-4,
    batch_size: Annotated[int, Range(ge=1)] = 4,
    averaging: Annotated[float, Range(ge=0, lt=1)] = 0.99,
    patience: Annotated[int, Range(ge=1)] = 20,
    minutes: Annotated[float, Range(ge=0)] = 0.0,
    augment: bool = True,
    flip: bool = True,
    zoom: Annotated[float, Range(ge=1, le=10)] = 2.5,
    mosaic: Annotated[float, Range(ge=0, le=1)] = 0.6,
    iou_threshold: Annotated[float, Range(gt=0, le=1)] = 0.5,
    most: Annotated[int, Range(ge=1, le=1000)] = 100,
    postprocess: Literal["task", "tflite"] = "task",
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 2,
) -> TrainMetrics:
    """Train all layers, and keep the epoch with the best average precision on validation pictures.

    train:    the part that stages.detection.dataset writes
    weights:  the .tflite of the COCO SSD with MobileNetV1; the output weights of each
              class are initialised from the COCO class with the highest scores on its training boxes.
              Without it, the network is trained from random weights
    model:    architecture.json and weights_*.npy: (1, size, size, 3) pixels -> boxes (1, anchors, 4) and
              scores (1, anchors, classes)
    decision: JSON: how outputs become detections, and the threshold of each class
    anchors:  anchors.npy, float32 (anchors, 4): centre y and x, height, width, as shares

    backbone: ssd_mobilenet_v1, the COCO detector; small: a few layers, for training without weights
    epochs:   at most; the learning rate reaches zero after the last one
    learning_rate: learning rate without pretrained weights
    tuning_rate: learning rate with pretrained weights
    qat_epochs: epochs of quantisation-aware training; it runs only if int8 arithmetic, simulated, loses
              more than two points of average precision on validation pictures
    qat_rate: learning rate of quantisation-aware training
    batch_size: pictures per step
    averaging: decay of the exponential moving average of the weights, per step; 0: none. The average is
              what is evaluated and kept
    patience: epochs without a better average precision after which training ends
    minutes:  bound on the training time; 0: none. Such a training cannot be reproduced bit by bit
    augment:  zoom, stretch, shift and recolour training pictures at random
    flip:     also mirror them; not for letters, signs and the like
    zoom:     largest factor by which they are enlarged or reduced
    mosaic:   share of them that is joined with three others in one
    iou_threshold: overlap from which the weaker of two detections of a class is suppressed
    most:     the maximum number of detections in a picture
    postprocess: what decodes the boxes: the task, or TFLite_Detection_PostProcess inside the model
    seed:     for the initial weights, the order and the augmentation
    threads:  of TensorFlow; their number changes the order of summation

    The same seed and number of threads give the same bytes, even if the training is interrupted and
    resumed, unless `minutes` bounds it. StageError: weights of another network; the loss is not a number.
    """
    import json

    import numpy as np

    from stages.detection.training import _augment, _course, _network, _rounding
    from stages.training import network as training

    training.fix(seed, threads)
    labels = (train / "labels.txt").read_text(encoding="utf-8").splitlines()
    learnt, held = _pictures(train), _pictures(train / "validation")
    judged = held if len(held) else learnt
    detector, places = _detector(backbone, weights, learnt, labels)
    decoding = {
        "box_scales": list(BOX_SCALES),
        "iou_threshold": iou_threshold,
        "most": most,
        "postprocess": "task",
    }
    settings = _course.Settings(
        batch_size=batch_size,
        patience=patience,
        averaging=averaging,
        minutes=minutes,
        augment=_augment.Strength(flip, zoom, mosaic) if augment else None,
        seed=seed,
    )
    course = _course.Course(detector, learnt, judged, (places, decoding), settings)
    _course.tell_bound(minutes)
    rate = tuning_rate if weights else learning_rate
    copy = _network.copied(detector)
    course.run(_course.Phase("training", epochs, rate, copy, copy.learner))
    int8_map50 = _rounding.compensate(course, qat_epochs, qat_rate)
    course.judging = detector.network
    if not len(held):
        note("there are no validation pictures: val_map50 is measured on the training pictures")
    found = course.found(judged)
    about = {
        **decoding,
        "postprocess": postprocess,
        "thresholds": _thresholds(course, found, labels),
    }
    decision.write_text(json.dumps(about, indent=1), encoding="utf-8")
    anchors.mkdir()
    np.save(anchors / "anchors.npy", places)
    training.save(detector.network, model)
    return TrainMetrics(
        val_map50=course.evaluated()["val_map50"],
        val_int8_map50=int8_map50,
        best_epoch=course.best["epoch"],
        anchor_recall=course.recall(),
        parameters=float(detector.network.count_params()),
        reproducible=float(not minutes),
    )


def _detector(
    backbone: str, weights: "Path | None", learnt: "Pictures", labels: list[str]
) -> "tuple[Detector, NDArray[np.float32]]":
    """Return the detector at its start, and its anchors (anchors, 4)."""
    import numpy as np

    from stages.detection.training import _anchors, _network, _weights
    from stages.detection.training._matching import Matcher

    size = learnt.pictures.shape[1]
    sizes = np.concatenate([one.boxes[~one.ignored] for one in learnt.truth])
    sizes = np.maximum(sizes[:, 2:] - sizes[:, :2], 1 / size)
    if backbone == "small":
        shapes = _anchors.spread(sizes, _network.SMALL_SHAPES)
    else:
        shapes = _anchors.extended(_anchors.coco_shapes(), sizes)
    detector = _network.build(backbone, size, len(labels), shapes)
    if weights:
        source = _weights.coco(weights, size)
        given = _anchors.anchors(source.sides, _anchors.coco_shapes())
        matcher = Matcher(given, len(labels), BOX_SCALES)
        columns = _weights.similar(source, matcher, learnt.pictures, learnt.truth, labels)
        _weights.start(detector, source, shapes, columns)
        _network.freeze(detector)
    return detector, _anchors.anchors(detector.sides, shapes)


def _pictures(folder: "Path") -> "Pictures":
    """Return the pictures of a part with their boxes, none if the part is missing."""
    import numpy as np

    from stages.detection import _truth
    from stages.detection.training._course import Pictures, boxes_of
    from stages.tflite import part

    if not folder.is_dir():
        return Pictures(np.zeros((0, 1, 1, 3), np.uint8), [])
    return Pictures(part.read(folder).tensors["picture"], boxes_of(_truth.read(folder)))


def _thresholds(course: "Course", found: "Any", labels: list[str]) -> dict[str, float]:
    """Return the threshold of each class with the best F1 score on the judged pictures."""
    from stages.detection.training import _precision

    truth = course.judged.truth
    return {
        label: _precision.threshold(*_precision.marked(found, truth, kind))
        for kind, label in enumerate(labels)
    }
