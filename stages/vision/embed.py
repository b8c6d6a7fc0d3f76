"""Runs the frozen extractor on pictures, and writes the embeddings that the last layer is trained on."""

import time
from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    from stages.tflite.model import Model


class EmbedMetrics(TypedDict):
    """Number of training and validation pictures, and pictures per second on the build machine."""

    pictures: float
    pictures_per_s: float


def embed(
    train: In,
    models: In,
    embeddings: Out,
    *,
    threads: Annotated[int, Range(ge=1)] = 2,
) -> EmbedMetrics:
    """Run the extractor on the training and validation pictures.

    train:      the part that stages.vision.dataset writes
    models:     model/int8.tflite, as stages.vision.extractor writes it
    embeddings: a part with the tensor `embedding`, float32 (pictures, size), with the ground truth
                of `train`, and the part validation/, if any; about.json: the extractor's sha256

    threads: of the runtime; the embeddings do not depend on it

    LiteRT is used if it is installed, otherwise tflite-runtime, which is a tenth as fast on x86-64.
    Their outputs differ by a few quantisation steps.
    """
    import json

    from stages.tflite import roles
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model
    from stages.tflite.outputs import sha256

    int8 = roles.runnable(roles.of_role(models, "model"))[0]
    model = open_model(int8, ANY, threads)
    start, count = time.monotonic(), 0
    for source, target in ((train, embeddings), (train / "validation", embeddings / "validation")):
        if source.is_dir():
            count += _embed(source, target, model)
    seconds = time.monotonic() - start
    about = {"extractor_sha256": sha256(int8), "runtime": model.runtime}
    (embeddings / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    note(f"embedded {count} pictures in {seconds:.1f} s with {model.runtime}")
    return EmbedMetrics(pictures=float(count), pictures_per_s=count / max(seconds, 1e-9))


def _embed(source: "Path", target: "Path", model: "Model") -> int:
    import shutil

    import numpy as np

    from stages.tflite import part

    data = part.read(source)
    examples = data.for_inputs(model.inputs)
    rows = []
    for at in range(data.examples):
        progress(at, data.examples, source.name)
        one = {name: values[at : at + 1] for name, values in examples.items()}
        (embedding,) = model.predict(one).values()
        rows.append(embedding.reshape(-1))
    part.write(target, {"embedding": np.stack(rows)})
    for path in source.glob("*.json"):
        if path.name not in ("tensors.json", "constants.json"):
            shutil.copyfile(path, target / path.name)
    for name in ("truth_class.npy", "labels.txt"):
        shutil.copyfile(source / name, target / name)
    return data.examples
