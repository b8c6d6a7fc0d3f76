"""Measures the cost of training a picture classifier, compared with an equivalent Keras script.

Both read the same folder of JPEGs, train the last layer on the frozen backbone and then the backbone,
with the same sizes, epochs, augmentation and number of threads, and judge each epoch on the same
share of the pictures. Each is a fresh process with all that it starts: imports, reading, training.
Usage: benchmarks/training.py [PICTURES] [SIDE]
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PICTURES, SIDE, HELD, BATCH, THREADS = 300, 160, 0.2, 32, 2
FROZEN, TUNED = 4, 4  # epochs of the two phases
PHOTO = (375, 500)
WEIGHTS = "backbone.weights.h5"


def ours(folder: Path, side: int) -> None:
    """Run the stages `dataset` and `train`."""
    from stages.vision.dataset import dataset
    from stages.vision.train import train

    dataset(folder, Path("train"), Path("test"), size=side, test_share=0.01, val_share=HELD)
    train(
        Path("train"),
        Path("model"),
        Path("decision.json"),
        folder.parent / WEIGHTS,
        backbone="mobilenet_v2",
        alpha=0.35,
        views=FROZEN,
        epochs=TUNED,
        qat_epochs=0,
        patience=TUNED,
        batch_size=BATCH,
        threads=THREADS,
    )


def keras_script(folder: Path, side: int) -> None:
    """Do what Keras' guide to transfer learning shows."""
    import keras
    import tensorflow as tf
    from keras import layers

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    options = {"seed": 0, "image_size": (side, side), "batch_size": BATCH, "verbose": False}
    read, held = (
        keras.utils.image_dataset_from_directory(
            folder, validation_split=HELD, subset=part, label_mode="categorical", **options
        ).cache()
        for part in ("training", "validation")
    )
    change = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.03),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomZoom(0.15),
            layers.RandomContrast(0.2),
            layers.RandomBrightness(0.1),
        ]
    )
    train = read.map(lambda x, y: (change(x, training=True), y), tf.data.AUTOTUNE)
    train = train.prefetch(tf.data.AUTOTUNE)
    body = backbone(side)
    body.load_weights(folder.parent / WEIGHTS)
    inputs = keras.Input((side, side, 3))
    x = body(layers.Rescaling(1 / 127.5, -1)(inputs), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    network = keras.Model(inputs, layers.Dense(2, "softmax")(x))
    for epochs, rate, is_frozen in ((FROZEN, 3e-3, True), (TUNED, 1e-4, False)):
        body.trainable = not is_frozen
        network.compile(
            keras.optimizers.AdamW(rate), "categorical_crossentropy", metrics=["accuracy"]
        )
        network.fit(train, validation_data=held, epochs=epochs, verbose=0)


def backbone(side: int) -> "object":
    import keras

    return keras.applications.MobileNetV2(
        input_shape=(side, side, 3), alpha=0.35, include_top=False, weights=None
    )


def save_weights(folder: Path, side: int) -> None:
    """Save random weights: the time is the same."""
    backbone(side).save_weights(folder.parent / WEIGHTS)


TRAINERS: dict[str, Callable[[Path, int], None]] = {
    "stages/vision": ours,
    "plain Keras script": keras_script,
}


def main(count: int, side: int) -> None:
    """Print a line for each trainer, and the ratio of their times."""
    epochs = FROZEN + TUNED
    print(
        f"{count} JPEGs, {side} x {side}, MobileNetV2 0.35, {FROZEN} frozen and {TUNED} tuned epochs"
    )
    print(f"{'trainer':24}{'wall':>8}{'processor':>11}{'s per 1,000 pictures and epoch':>33}")
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder) / "photos", count)
        measured("weights", folder, side)
        for name in TRAINERS:
            found = measured(name, folder, side)
            walls.append(found["wall_s"])
            each = found["wall_s"] / epochs / count * 1000
            print(f"{name:24}{found['wall_s']:8.1f}{found['cpu_s']:11.1f}{each:33.2f}")
    print(f"ratio {walls[0] / walls[1]:.2f}")


def measured(name: str, folder: str, side: int) -> dict[str, float]:
    """Return the wall and processor time of a fresh process."""
    argv = [sys.executable, str(Path(__file__).resolve()), "--trainer", name, folder, str(side)]
    with tempfile.TemporaryDirectory() as here:
        before, start = children_s(), time.perf_counter()
        done = subprocess.run(argv, cwd=here, capture_output=True, text=True)
        found = {"wall_s": time.perf_counter() - start, "cpu_s": children_s() - before}
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return found


def children_s() -> float:
    """Return the processor time of the processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def write_pictures(folder: Path, count: int) -> None:
    """Write photos of two classes, all different."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(0, 255, (12, 16, 3), np.uint8)
        picture = Image.fromarray(coarse).resize(PHOTO[::-1], Image.BICUBIC)
        to = folder / ("even", "odd")[number % 2] / f"{number:05}.jpg"
        to.parent.mkdir(parents=True, exist_ok=True)
        picture.save(to, quality=88)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1:2] == ["--trainer"]:
        {**TRAINERS, "weights": save_weights}[sys.argv[2]](
            Path(sys.argv[3]) / "photos", int(sys.argv[4])
        )
    else:
        numbers = [int(word) for word in sys.argv[1:]]
        main(*(numbers + [PICTURES, SIDE][len(numbers) :]))
