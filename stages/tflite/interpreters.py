"""Finds a TFLite runtime by name, with its version, which is recorded with every figure, and describes
the inputs and outputs of its interpreters.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any, Iterable

import numpy as np

from engine.stage import StageError, note
from stages.tflite.tensor import Tensor

ANY = "any"  # LiteRT, or tflite-runtime on platforms without LiteRT
_RUNTIMES = {  # name -> module, distribution, and displayed name
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert", "LiteRT"),
    "tflite_runtime": ("tflite_runtime.interpreter", "tflite-runtime", "tflite-runtime"),
}


def installed() -> dict[str, str]:
    """Return the installed runtimes, with their versions."""
    found = {}
    for name, (module, distribution, _) in _RUNTIMES.items():
        try:
            importlib.import_module(module)
            found[name] = version(distribution)
        except ModuleNotFoundError as error:
            if error.name != module.partition(".")[0]:  # it is installed but broken
                raise
    return found


def runtime_module(runtime: str) -> tuple[str, Any]:
    """Return the runtime's name with its version, and its module.

    Use LiteRT if tflite-runtime is not installed. StageError: the runtime is unknown or not installed.
    """
    if runtime not in (ANY, *_RUNTIMES):
        raise StageError(f"there is no runtime '{runtime}': choose {' or '.join(_RUNTIMES)}")
    if runtime == "tflite_runtime":
        try:
            return _imported("tflite_runtime")
        except ImportError:
            note("tflite-runtime has no build for this Python: using LiteRT instead")
    try:
        return _imported("litert")
    except ImportError:
        if runtime == ANY:
            return _either()
        raise StageError(
            "LiteRT is not installed here: on armv7, for which it has no build, set the "
            "target's runtime to tflite_runtime"
        ) from None


def described(details: Iterable[dict[str, Any]], names: Iterable[str]) -> dict[str, Tensor]:
    """Return an interpreter's inputs or outputs under these names, in order."""
    return {name: _tensor(detail, name) for detail, name in zip(details, names)}


def _imported(runtime: str) -> tuple[str, Any]:
    module, distribution, called = _RUNTIMES[runtime]
    return f"{called} {version(distribution)}", importlib.import_module(module)


def _either() -> tuple[str, Any]:
    try:
        return _imported("tflite_runtime")
    except ImportError:
        raise StageError(
            "no TFLite runtime is installed here: install ai-edge-litert, or on armv7 tflite-runtime"
        ) from None


def _tensor(detail: dict[str, Any], name: str) -> Tensor:
    scale, zero_point = detail["quantization"]
    return Tensor(
        name=name,
        shape=tuple(int(size) for size in detail["shape"]),
        type=np.dtype(detail["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
    )
