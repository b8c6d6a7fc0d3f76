"""Measures which public Keras models fit into the AI Camera, and how long Sony's tools take for them.

    python benchmarks/imx500.py [--convert] [NAME ...]

It makes the environment `imx500-compiler` in outputs/ if it does not exist (2.2 GB), and continues in it.
Weights are random unless --weights has the files of keras.applications: they change neither memory nor
operators. `--convert` also converts the models that fit; the memory report alone is several times faster.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.stage import StageError
from stages.imx500 import _converter, _largest, _layers, _ptq, _rebuild
from stages.imx500._measured import measured

ROOT = Path(__file__).resolve().parents[1]
SIZE = 224  # side of the input, unless a model states another
CALIBRATION = 4  # random pictures
TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Row:
    """What happened to a model."""

    name: str
    parameters: int
    quantise_s: float
    report_s: float = 0.0
    convert_s: float = 0.0
    used_share: float | None = None
    packed_bytes: int = 0
    why: str = ""

    def __str__(self) -> str:
        share = "" if self.used_share is None else f"{self.used_share:.0%}"
        fits = "no" if self.used_share is None else "yes" if self.used_share <= 1 else "no"
        packed = f"{self.packed_bytes / 1e6:.2f} MB" if self.packed_bytes else ""
        seconds = " + ".join(
            f"{one:.0f}" for one in (self.quantise_s, self.report_s, self.convert_s) if one
        )
        cells = [self.name, f"{self.parameters / 1e6:.2f}", fits, share, packed, seconds, self.why]
        return f"| {' | '.join(cells)} |"


def models(weights: Path | None) -> dict[str, Callable[[], Any]]:
    """Return functions that make the models, by name; weights: a folder with keras.applications' files."""
    import tensorflow as tf

    made = tf.keras.applications
    shape = (SIZE, SIZE, 3)

    def file(name: str) -> str | None:
        path = weights / name if weights else None
        return str(path) if path and path.is_file() else None

    def with_top(base: Any, name: str) -> Any:
        if path := file(name):
            base.load_weights(path)
        pooled = tf.keras.layers.GlobalAveragePooling2D()(base.output)
        return tf.keras.Model(base.input, tf.keras.layers.Dense(10, "softmax")(pooled))

    common = {"input_shape": shape, "weights": None}
    return {
        "MobileNet 0.25": lambda: with_top(
            made.MobileNet(alpha=0.25, include_top=False, **common),
            "mobilenet_2_5_224_tf_no_top.h5",
        ),
        "MobileNetV2 0.35": lambda: with_top(
            made.MobileNetV2(alpha=0.35, include_top=False, **common),
            "mobilenet_v2_0.35_224_no_top_from_tm.weights.h5",
        ),
        "MobileNet 1.0": lambda: made.MobileNet(**common),
        "MobileNetV2 1.0": lambda: made.MobileNetV2(**common),
        "MobileNetV3Small": lambda: made.MobileNetV3Small(include_preprocessing=False, **common),
        "EfficientNetB0": lambda: made.EfficientNetB0(**common),
        "ResNet50": lambda: made.ResNet50(**common),
        "DenseNet121": lambda: made.DenseNet121(**common),
        "NASNetMobile": lambda: made.NASNetMobile(**common),
    }


def row(name: str, make: Callable[[], Any], convert: bool) -> Row:
    """Return what happens to a model."""
    trained = make()
    network = _layers.network_of(json.loads(trained.to_json()))
    model, _ = _rebuild.rebuilt(network, trained.get_weights())
    pictures = np.random.default_rng(0).integers(0, 256, (CALIBRATION, *model.input_shape[1:]))
    began = time.monotonic()
    done: dict[str, Any] = {"name": name, "parameters": model.count_params(), "quantise_s": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        try:
            _ptq.save(_ptq.quantised(model, pictures.astype(np.uint8), only_ranges=True), path)
            done["quantise_s"] = time.monotonic() - began
            began = time.monotonic()
            report = measured(path, name, _largest.layers_of(model), True, TIMEOUT_S)
            done |= {
                "report_s": time.monotonic() - began,
                "used_share": report["memory_used_share"],
            }
            if not report["fits"]:
                return Row(**done, why=f"needs {report['memory_bytes'] / 2**20:.1f} of 8 MB")
            if convert:
                began = time.monotonic()
                done["packed_bytes"] = _packed(path)
                done["convert_s"] = time.monotonic() - began
        except StageError as error:
            return Row(**done, why=str(error))
    return Row(**done)


def _packed(path: Path) -> int:
    """Convert a quantised network, and return the bytes of the result."""
    with _converter.made(
        path, only_memory=False, input_persistency=True, timeout_s=TIMEOUT_S
    ) as made:
        packed = made.folder / _converter.PACKED
        if made.status or not packed.is_file():
            raise StageError(_converter.failure(made))
        return packed.stat().st_size


def enter_environment() -> None:
    """Continue in the environment with Sony's tools; return if it already runs there."""
    if importlib.util.find_spec("model_compression_toolkit"):
        return
    from engine.tools import definition, making

    store = ROOT / "outputs" / ".engine"
    found = definition.find([ROOT], "imx500-compiler", "linux/amd64")
    if found is None or (why := found.obstacle(store)):
        sys.exit(f"Sony's tools cannot be installed: {why if found else 'no definition'}")
    making.make(found, store)
    python = found.interpreter(store)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    os.execve(python, [str(python), *sys.argv], {**os.environ, "PATH": path})


def main() -> None:
    """Print a row of a Markdown table for each model."""
    enter_environment()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--convert", action="store_true")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    every = models(options.weights)
    print("| model | million parameters | fits | memory used | packed | seconds | why not |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in options.names or every:
        print(row(name, every[name], options.convert), flush=True)


if __name__ == "__main__":
    main()
