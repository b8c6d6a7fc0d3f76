"""Runs inside an image: runs every model of a folder with each of the image's runtimes, and writes the
outputs.

    python3 _inference.py FOLDER EXAMPLES [MODULE ...]

Imports the modules, reads FOLDER/*.tflite, writes FOLDER/outputs.json. The project sources that it
imports are in the same folder; it also needs the standard library, numpy and the runtimes.
"""

import base64
import hashlib
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.tflite.interpreters import installed
from stages.tflite.model import KERNELS, Model, open_model


def main(folder: Path, examples: int, imports: "list[str]") -> None:
    """Write outputs.json: machine, versions, seconds of each import, and the outputs of each example per
    model, runtime and kernels.
    """
    seconds = {name: _import_seconds(name) for name in imports}
    runtimes = installed()
    models = {
        path.stem: run_model(path, list(runtimes), examples)
        for path in sorted(folder.glob("*.tflite"))
    }
    found = {
        "v": 1,
        "machine": platform.machine(),
        "versions": {
            "python": platform.python_version(),
            "numpy": version("numpy"),
            **runtimes,
        },
        "imports": seconds,
        "models": models,
    }
    (folder / "outputs.json").write_text(
        json.dumps(found, indent=1, sort_keys=True), encoding="utf-8"
    )


def _import_seconds(name: str) -> float:
    """Return the import time, measured in a separate process: in the same process as TensorFlow,
    tflite-runtime 2.14 reads models incorrectly.
    """
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
    return round(time.perf_counter() - start, 3)


def run_model(path: Path, runtimes: "list[str]", examples: int) -> "dict[str, Any]":
    """Return the model's sha256 and, per runtime and kernels, its outputs and the seconds of all
    its inferences.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    runs: "dict[str, Any]" = {}
    for runtime in runtimes:
        for kernels in KERNELS:
            model = open_model(path, runtime, kernels=kernels)
            start = time.perf_counter()
            outputs = [_outputs(model, digest, example) for example in range(examples)]
            runs.setdefault(runtime, {})[kernels] = {
                "seconds": round(time.perf_counter() - start, 4),
                "outputs": outputs,
            }
    return {"sha256": digest, "runs": runs}


def _outputs(model: Model, digest: str, example: int) -> "list[dict[str, Any]]":
    """Return every output tensor, for inputs that depend only on the model and the example's number."""
    import numpy as np

    tensors = {}
    for place, (name, tensor) in enumerate(model.inputs.items()):
        kind = np.dtype(tensor.type)
        count = int(np.prod(tensor.shape))
        noise = np.frombuffer(
            hashlib.shake_256(f"{digest} {example} {place}".encode()).digest(count), np.uint8
        )
        values = (
            noise.astype(kind) / 255
            if kind.kind == "f"
            else noise.view(np.int8 if kind == np.int8 else np.uint8)
        )
        tensors[name] = values.reshape(tensor.shape).astype(kind)
    found = []
    for name, raw in model.run(tensors).items():
        values = np.ascontiguousarray(raw)
        data = base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
        found.append(
            {
                "name": name,
                "type": values.dtype.name,
                "shape": list(values.shape),
                "data": data,
            }
        )
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
