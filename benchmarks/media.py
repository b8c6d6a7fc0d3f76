"""Measures reading pictures, compared with tf.data and Keras: seconds and memory for 12-megapixel photos.

Each reader is a fresh process that decodes every picture once, into batches of 32 float tensors of
224 x 224. Imports are not measured; processor time includes all threads and processes.
Usage: benchmarks/media.py [PICTURES]
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIDE, BATCH = 224, 32
HEIGHT, WIDTH = 3000, 4000
PICTURES = 200


def ours(paths: list[Path]) -> int:
    """Read with stages/media: decoded near the target size in two threads, then averaged."""
    from stages.media.pictures import read_many
    from stages.media.scaling import resized

    batch = np.empty((BATCH, SIDE, SIDE, 3), np.float32)
    count = 0
    for _, picture in read_many(paths, at_least=SIDE):
        batch[count % BATCH] = resized(picture.pixels, SIDE, SIDE)
        count += 1
    return count


def tf_data(paths: list[Path], ratio: int = 1) -> int:
    """Read with tf.data as in its guide: decode_jpeg and resize, mapped in parallel."""
    import tensorflow as tf

    def read(path: "tf.Tensor") -> "tf.Tensor":
        picture = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=ratio)
        return tf.image.resize(picture, (SIDE, SIDE))

    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths] or [""])
    batches = files.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH)
    taken = batches.take(-1 if paths else 0)
    return sum(int(batch.shape[0]) for batch in taken.prefetch(tf.data.AUTOTUNE))


def keras(paths: list[Path]) -> int:
    """Read with Keras' image_dataset_from_directory."""
    from keras.utils import image_dataset_from_directory

    if not paths:
        return 0
    folder = paths[0].parent.parent
    batches = image_dataset_from_directory(
        folder, labels=None, image_size=(SIDE, SIDE), batch_size=BATCH, shuffle=False, verbose=False
    )
    return sum(int(batch.shape[0]) for batch in batches)


READERS: dict[str, Callable[[list[Path]], int]] = {
    "stages/media": ours,
    "tf.data": tf_data,
    "tf.data, decoding at 1/8": partial(tf_data, ratio=8),
    "Keras image_dataset_from_directory": keras,
}


def main(count: int) -> None:
    """Print a line for each reader."""
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder) / "photos", count)
        print(f"{count} JPEGs of {WIDTH} x {HEIGHT} to {SIDE} x {SIDE}; seconds for 1,000 pictures")
        print(f"{'reader':36}{'wall':>8}{'processor':>11}{'peak memory':>13}")
        for name in READERS:
            found = measured(name, folder)
            wall, processor = (1000 * found[key] / count for key in ("wall_s", "cpu_s"))
            print(f"{name:36}{wall:8.1f}{processor:11.1f}{found['memory_mb']:10.0f} MB")


def measured(name: str, folder: str) -> dict[str, float]:
    """Return the measurements of a fresh process."""
    argv = [sys.executable, __file__, "--reader", name, folder]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def read_all(name: str, folder: str) -> None:
    """Read the pictures once, and print wall time, processor time and peak memory."""
    paths = sorted((Path(folder) / "photos").iterdir())
    READERS[name]([])  # imports are not measured
    cpu_s, start = processor_s(), time.perf_counter()
    count = READERS[name](paths)
    wall_s = time.perf_counter() - start
    assert count == len(paths), (name, count)
    found = {"wall_s": wall_s, "cpu_s": processor_s() - cpu_s, "memory_mb": peak_memory_mb()}
    print(json.dumps(found))


def peak_memory_mb() -> float:
    """Return the peak memory of this process; getrusage's value would include the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def processor_s() -> float:
    """Return the processor time of this process, its threads and its ended children."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def write_pictures(folder: Path, count: int) -> None:
    """Write photos with the detail of real ones: smooth areas, edges and some noise."""
    from PIL import Image

    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(0, 255, (24, 32, 3), np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.BICUBIC))
        noise = generator.integers(-6, 7, (HEIGHT // 4, WIDTH, 1), np.int16)
        grainy = np.clip(picture + np.tile(noise, (4, 1, 1)), 0, 255).astype(np.uint8)
        Image.fromarray(grainy).save(folder / f"{number:05}.jpg", quality=88)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reader"]:
        read_all(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
