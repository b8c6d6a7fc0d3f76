"""Finds a TFLite runtime by its name, with its version, which stands beside every figure."""

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from engine.stage import StageError, note

RUNTIMES = ("litert", "tflite_runtime")


def runtime_module(runtime: str) -> tuple[str, Any]:
    """Return the runtime's name with its version, and its module; LiteRT where tflite_runtime is not to be had."""
    if runtime not in RUNTIMES:
        raise StageError(f"there is no runtime '{runtime}': {' or '.join(RUNTIMES)}")
    if runtime == "tflite_runtime":
        try:
            from tflite_runtime import interpreter

            return f"tflite-runtime {version('tflite-runtime')}", interpreter
        except ImportError:
            note("tflite-runtime has no build for this Python: LiteRT stands in for it")
    if find_spec("ai_edge_litert") is None:
        raise StageError("LiteRT is not installed here; it has no build for armv7, where the target's runtime is tflite_runtime")
    from ai_edge_litert import interpreter as litert

    return f"LiteRT {version('ai-edge-litert')}", litert
