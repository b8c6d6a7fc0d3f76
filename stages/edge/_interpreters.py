"""Finds a TFLite runtime by its name, with its version, which stands beside every figure."""

from importlib.metadata import version
from typing import Any

from engine.stage import StageError, note


def runtime_module(runtime: str) -> tuple[str, Any]:
    """Return the runtime's name with its version, and its module.

    LiteRT where tflite_runtime is not to be had.
    """
    if runtime == "tflite_runtime":
        try:
            from tflite_runtime import interpreter

            return f"tflite-runtime {version('tflite-runtime')}", interpreter
        except ImportError:
            note("tflite-runtime has no build for this Python: LiteRT stands in for it")
    elif runtime != "litert":
        raise StageError(f"there is no runtime '{runtime}': litert or tflite_runtime")
    try:
        from ai_edge_litert import interpreter as litert

        return f"LiteRT {version('ai-edge-litert')}", litert
    except ImportError:
        raise StageError(
            "LiteRT is not installed here: on armv7, for which it has no build, let the target's "
            "runtime be tflite_runtime"
        ) from None
