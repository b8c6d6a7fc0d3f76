"""Runs inside an image: computes every model of a folder with each runtime that the image has, and
writes what came out.

    python3 _inference.py FOLDER EXAMPLES [MODULE ...]

Imports the modules, reads FOLDER/*.tflite, writes FOLDER/outputs.json. A script of its own: only
the standard library, numpy and the runtimes.
"""

import base64
import hashlib
import importlib
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite_runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}
KERNELS = {"reference": "BUILTIN_REF", "default": "AUTO"}


def main(folder: Path, examples: int, imports: list[str]) -> None:
    """Write outputs.json: machine, versions, seconds of each import, and per model, runtime and
    kernels the outputs of each example.
    """
    seconds = {name: _import_seconds(name) for name in imports}
    modules, versions = {}, {"python": platform.python_version(), "numpy": version("numpy")}
    for name, (module, distribution) in RUNTIMES.items():
        try:
            modules[name] = importlib.import_module(module)
            versions[name] = version(distribution)
        except ModuleNotFoundError as error:
            if error.name != module.partition(".")[0]:  # it is there, and broken
                raise
    models = {
        path.stem: run_model(path.read_bytes(), modules, examples)
        for path in sorted(folder.glob("*.tflite"))
    }
    found = {
        "v": 1,
        "machine": platform.machine(),
        "versions": versions,
        "imports": seconds,
        "models": models,
    }
    (folder / "outputs.json").write_text(
        json.dumps(found, indent=1, sort_keys=True), encoding="utf-8"
    )


def _import_seconds(name: str) -> float:
    """Import the module in a process of its own: beside TensorFlow in one process tflite-runtime
    2.14 reads models wrongly.
    """
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
    return round(time.perf_counter() - start, 3)


def run_model(content: bytes, modules: dict[str, Any], examples: int) -> dict[str, Any]:
    """Return the model's sha256 and, per runtime and kernels, its outputs and the seconds of all
    its inferences.
    """
    digest = hashlib.sha256(content).hexdigest()
    runs: dict[str, Any] = {}
    for runtime, module in modules.items():
        for kernels, resolver in KERNELS.items():
            interpreter = module.Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=getattr(module.OpResolverType, resolver),
            )
            interpreter.allocate_tensors()
            start = time.perf_counter()
            outputs = [_outputs(interpreter, digest, example) for example in range(examples)]
            runs.setdefault(runtime, {})[kernels] = {
                "seconds": round(time.perf_counter() - start, 4),
                "outputs": outputs,
            }
    return {"sha256": digest, "runs": runs}


def _outputs(interpreter: Any, digest: str, example: int) -> list[dict[str, Any]]:
    """Return every output tensor for inputs that depend on nothing but the model and the example's
    number.
    """
    import numpy as np

    for place, tensor in enumerate(interpreter.get_input_details()):
        kind, shape = np.dtype(tensor["dtype"]), [int(n) for n in tensor["shape"]]
        count = int(np.prod(shape))
        noise = np.frombuffer(
            hashlib.shake_256(f"{digest} {example} {place}".encode()).digest(count), np.uint8
        )
        values = (
            noise.astype(kind) / 255
            if kind.kind == "f"
            else noise.view(np.int8 if kind == np.int8 else np.uint8)
        )
        interpreter.set_tensor(tensor["index"], values.reshape(shape).astype(kind))
    interpreter.invoke()
    found = []
    for tensor in interpreter.get_output_details():
        values = np.ascontiguousarray(interpreter.get_tensor(tensor["index"]))
        data = base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
        found.append(
            {
                "name": tensor["name"],
                "type": values.dtype.name,
                "shape": list(values.shape),
                "data": data,
            }
        )
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
