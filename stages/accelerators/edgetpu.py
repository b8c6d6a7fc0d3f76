"""Google's Edge TPU: runs int8 models that its compiler has compiled, in a separate process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.stage import coral
from stages.coral import device, readable
from stages.coral.model import EdgeTpu, has_custom_operator
from stages.coral.process import Process

if TYPE_CHECKING:
    from stages.accelerator import Session
    from stages.tflite.schema import Model

NAME = "edgetpu"
TITLE = "Edge TPU"
FILE = "edgetpu.tflite"
BESIDE: tuple[str, ...] = ()
VERSION_1_FILE: str | None = "model_edgetpu.tflite"
LOOKED_FOR = coral.LOOKED_FOR


def is_compiled(path: Path) -> bool:
    """Return whether the Edge TPU's compiler has compiled the model, completely or partly."""
    return has_custom_operator(path)


def obstacles(int8: Model) -> list[str]:
    """Return why compiler 16 cannot read the model."""
    return readable.obstacles(int8)


def open(int8: Path, compiled: Path | None, runtime: str, session: Session) -> EdgeTpu:
    """Open the model in the Edge TPU's process, which all models of the session share."""
    if NAME not in session:
        session[NAME] = Process()
    return EdgeTpu(int8, compiled, runtime, session[NAME])


def obstacle() -> str | None:
    """Return why no Edge TPU can be used now."""
    found = device.obstacle(device.HERE)
    return found[1] if found else None


def card(log: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return which models are compiled, and what the compiler mapped to the Edge TPU."""
    if log.get("compiled"):
        return (
            f"{log['on_edgetpu']} of {log['operations']} operators, as edgetpu_compiler "
            f"{log['version']} mapped them"
        )
    published = [f"`{role}`" for role, entry in models.items() if NAME in entry]
    others = [f"`{role}`" for role, entry in models.items() if NAME not in entry]
    parts = [f"compiled by its publisher: {', '.join(published)}"] if published else []
    parts += [f"not compiled, runs on the CPU: {', '.join(others)}"] if others else []
    return "; ".join(parts)
