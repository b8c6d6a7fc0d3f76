"""A tiny extractor: the embedding is the mean colour of each eighth by eighth of a picture of 32 pixels."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from stages.vision.dataset import dataset
from stages.vision.embed import embed
from stages.vision.extractor import extractor
from tests.tflite_models import G, Op, T, write

SIDE, SIZE = 32, 192
POOL = {"filterWidth": 4, "filterHeight": 4, "strideW": 4, "strideH": 4, "padding": 1}


def graph(**input_: Any) -> G:
    """Return the network; input_: what its input is instead of uint8 (1, 32, 32, 3)."""
    tensors = [
        T(**{"shape": (1, SIDE, SIDE, 3), "type": "UINT8", "scales": (1 / 128,), **input_}),
        T((1, 8, 8, 3), "UINT8", scales=(1 / 128,)),
        T((2,), "INT32", np.int32([1, SIZE]).tobytes(), scales=()),
        T((1, SIZE), "UINT8", scales=(1 / 128,)),
    ]
    pool = Op("AVERAGE_POOL_2D", (0,), (1,), options=("Pool2DOptions", POOL))
    return G(tensors, [pool, Op("RESHAPE", (1, 2), (3,))])


def tiny(path: Path) -> Path:
    """Write the network."""
    return write(path, graph())


def embedded(folder: Path, pictures: Path | None, method: str = "imprint", **more: Any) -> Path:
    """Run the stages up to the embeddings in a folder, and return it; more: packed and extend."""
    folder.mkdir(parents=True)
    model = tiny(folder / "tiny.tflite")
    old = more.get("packed")
    extractor(model, folder / "models", folder / "picture.json", old, method=method)
    parts = folder / "train", folder / "test"
    dataset(pictures, *parts, folder / "picture.json", **more)
    embed(folder / "train", folder / "models", folder / "embeddings")
    return folder


def packed(folder: Path) -> Path:
    """Package what a run left in its folder: models, head/ and decision.json."""
    from stages.edge.package import package

    for name in ("score", "benchmark"):
        (folder / name).write_text("{}")
    package(
        folder / "models",
        folder / "test",
        folder / "score",
        folder / "benchmark",
        folder / "package",
        constants=folder / "decision.json",
        data=folder / "head",
        task="classify",
    )
    return folder / "package"


def decision(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "decision.json").read_text())
    return found
