"""Measures a detector: seconds per training step and per inference, beside a plain Keras copy of its network.

The networks are equal: MobileNetV1-SSD with one class, random weights, 300 x 300 pixels. A training step
of ours augments pictures and matches anchors; the plain copy's gets finished targets. An inference of
ours is the int8 model with one thread and the decoding of its outputs, with a threshold that one
anchor in twenty passes, which is a crowded picture; the plain copy's is a call of the Keras network.
Each figure is the median of runs that take turns. Usage: benchmarks/detection.py [STEPS]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZE, BATCH, PICTURES, CLASSES, THREADS = 300, 8, 32, 1, 2
BOXES = 3  # in a picture
PASSING = 0.95  # quantile of the scores above which a detection is decoded
QUANTISE = """
import sys
from pathlib import Path
from stages.edge.quantise import quantise
folder = Path(sys.argv[1])
quantise(folder / "model", folder / "models", folder / "train", input_type="uint8")
"""
MOST_SHARE = 0.10  # of an inference's time, for decoding


def main(steps: int) -> None:
    """Print the figures, and whether decoding keeps its bound."""
    from stages.training import network as training

    training.fix(0, THREADS)
    pictures = np.random.default_rng(0).integers(0, 255, (PICTURES, SIZE, SIZE, 3), np.uint8)
    print(f"MobileNetV1-SSD, {SIZE} x {SIZE}, {BATCH} pictures per step, {THREADS} threads")
    with tempfile.TemporaryDirectory() as folder:
        course, detector, anchors = made(pictures)
        ours, plain = taking_turns([own_step(course, detector), plain_step(course)], steps)
        print(
            f"training step    ours {ours:.3f} s   plain Keras {plain:.3f} s   {ours / plain:.2f}"
        )
        infer, decode, keras_call = inference(Path(folder), detector, anchors, pictures)
        figures = taking_turns([infer, decode, keras_call], 20 * steps)
    int8, decoding, plain = (one * 1000 for one in figures)
    print(f"inference, int8 with 1 thread {int8:.2f} ms, with decoding {int8 + decoding:.2f} ms")
    print(f"inference, plain Keras        {plain:.2f} ms")
    share = decoding / int8
    verdict = "keeps" if share <= MOST_SHARE else "exceeds"
    print(
        f"decoding {decoding:.3f} ms: {share:.1%} of an int8 inference, {verdict} {MOST_SHARE:.0%}"
    )


def made(pictures: "np.ndarray[Any, Any]") -> tuple[Any, Any, Any]:
    """Return a course of training, its detector, and the anchors."""
    from stages.detection.training import _anchors, _augment, _course, _network
    from stages.detection.training._matching import Boxes

    chance = np.random.default_rng(1)
    corners = chance.uniform(0, 0.6, (PICTURES, BOXES, 2))
    truth = [
        Boxes(
            np.concatenate([one, one + 0.3], 1).astype(np.float32),
            np.zeros(BOXES, np.int64),
            np.zeros(BOXES, bool),
        )
        for one in corners
    ]
    shapes = _anchors.coco_shapes()
    detector = _network.build("ssd_mobilenet_v1", SIZE, CLASSES, shapes)
    _network.freeze(detector)
    anchors = _anchors.anchors(detector.sides, shapes)
    data = _course.Pictures(pictures, truth)
    settings = _course.Settings(
        batch_size=BATCH,
        patience=1,
        averaging=0.99,
        minutes=0,
        augment=_augment.Strength(True, 2.5, 0.6),
        seed=0,
    )
    return _course.Course(detector, data, data, (anchors, CONSTANTS), settings), detector, anchors


CONSTANTS = {
    "box_scales": [10.0, 10.0, 5.0, 5.0],
    "iou_threshold": 0.5,
    "most": 100,
    "postprocess": "task",
}


def own_step(course: Any, detector: Any) -> Callable[[], object]:
    """Return a training step of the stage, with augmentation and matching."""
    from stages.detection.training import _course, _network

    copy = _network.copied(detector)
    phase = _course.Phase("training", 1, 1e-3, copy, copy.learner)
    optimizer, _ = course.begun(phase)
    optimizer.build(phase.learner.trainable_variables)
    step = course.step(phase.learner, optimizer)
    chance, rows = np.random.default_rng(2), np.arange(BATCH)
    return lambda: float(step(*course._batch(rows, chance)))


def plain_step(course: Any) -> Callable[[], object]:
    """Return a step of `train_on_batch` on a copy of the network, with targets that never change."""
    import keras

    from stages.detection.training import _anchors, _network

    copy = _network.build("ssd_mobilenet_v1", SIZE, CLASSES, _anchors.coco_shapes())
    _network.freeze(copy)
    losses = {"boxes": "huber", "scores": keras.losses.BinaryFocalCrossentropy()}
    copy.network.compile(keras.optimizers.AdamW(1e-3), losses)
    values, classes, _, offsets, _ = course._batch(np.arange(BATCH), np.random.default_rng(2))
    targets = {"boxes": offsets, "scores": classes}
    return lambda: copy.network.train_on_batch(values, targets)


def inference(
    folder: Path, detector: Any, anchors: Any, pictures: "np.ndarray[Any, Any]"
) -> list[Callable[[], object]]:
    """Return an int8 inference, the decoding of its outputs, and a call of the Keras network."""
    import tensorflow as tf

    from stages.tasks import detect
    from stages.tflite import part
    from stages.tflite.model import open_model
    from stages.training import network as training

    training.save(detector.network, folder / "model")
    part.write(folder / "train", {"picture": pictures[:BATCH]})
    # In a separate process: the stage forks, and TensorFlow's threads do not survive that.
    subprocess.run([sys.executable, "-c", QUANTISE, str(folder)], cwd=ROOT, check=True)
    model = open_model(folder / "models/model/int8.tflite", threads=1)
    raw = dict.fromkeys(model.inputs, pictures[:1])
    numbers = model.run(raw)
    floor = float(np.quantile(model.dequantised(numbers)["scores"], PASSING))
    call, values = tf.function(detector.network), tf.constant(pictures[:1], tf.float32)

    def decode() -> object:
        outputs = {name: one[0] for name, one in model.dequantised(numbers).items()}
        return detect.found(outputs, CONSTANTS, anchors, floor)

    return [
        lambda: model.run(raw),
        decode,
        lambda: call(values, training=False)["boxes"].numpy(),
    ]


def taking_turns(tasks: list[Callable[[], object]], times: int) -> list[float]:
    """Return the median seconds of each task, after a first run that does not count."""
    taken: list[list[float]] = [[] for _ in tasks]
    for round_ in range(times + 1):
        for task, seconds in zip(tasks, taken, strict=True):
            began = time.perf_counter()
            task()
            if round_:
                seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in taken]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
