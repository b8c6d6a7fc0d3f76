"""Finds a TFLite runtime by its name, with its version, which stands beside every figure."""

import importlib
from importlib.metadata import version
from typing import Any

from engine.stage import StageError, note

RUNTIMES = {  # its package, and the module of its interpreter
    "litert": ("LiteRT", "ai-edge-litert", "ai_edge_litert.interpreter"),
    "tflite_runtime": ("tflite-runtime", "tflite-runtime", "tflite_runtime.interpreter"),
}


def runtime_module(runtime: str) -> tuple[str, Any]:
    """Return the runtime's name with its version, and its module; LiteRT where tflite_runtime is not to be had."""
    if runtime not in RUNTIMES:
        raise StageError(f"there is no runtime '{runtime}': {' or '.join(RUNTIMES)}")
    name, package, module = RUNTIMES[runtime]
    try:
        return f"{name} {version(package)}", importlib.import_module(module)
    except ImportError:  # also where the package itself is absent
        if runtime == "litert":
            raise StageError(
                "LiteRT is not installed here: on armv7, for which it has no build, let the target's runtime be tflite_runtime"
            ) from None
    note("tflite-runtime has no build for this Python: LiteRT stands in for it")
    return runtime_module("litert")
