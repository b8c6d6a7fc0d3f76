"""Finds Sony's tools: the Model Compression Toolkit, the converter imxconv-tf, and the Java that it needs.

They are installed in an environment of their own. Without them, the stages pass models through.
"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from engine.stage import StageError, virtualenv
from engine.stage.imx500 import JAVA_FIX, MIN_JAVA, java

TOOLKIT = "model_compression_toolkit"
CONVERTER = "imxconv-tf"
REPEAT = "repeat the command once the environment of Sony's tools can be made (docs/ai-camera.md)"


def without_toolkit() -> str | None:
    """Return why no model can be quantised here, as a sentence; None if it can.

    StageError: the environment was made, but lacks it.
    """
    if find_spec(TOOLKIT) is None or find_spec("tensorflow") is None:
        _refuse_damage(TOOLKIT)
        return f"Sony's Model Compression Toolkit is not installed here: {REPEAT}"
    return None


def without_converter() -> str | None:
    """Return why no model can be converted here, as a sentence; None if it can.

    StageError: the environment was made, but lacks the converter.
    """
    if shutil.which(CONVERTER) is None:
        _refuse_damage(CONVERTER)
        return f"Sony's converter {CONVERTER} is not installed here: {REPEAT}"
    found = java()
    if found is None:
        return f"the converter needs Java {MIN_JAVA}, which is not installed here: {JAVA_FIX}"
    if not found.is_new_enough:
        shown = found.version or "of unknown version"
        return (
            f"the converter needs Java {MIN_JAVA} or newer, but {found.path} is Java {shown}: "
            f"{JAVA_FIX}"
        )
    return None


def quantiser() -> str:
    """Return the toolkit's name and version, as runs show it."""
    return f"Model Compression Toolkit {_version('model-compression-toolkit')}"


def converter() -> str:
    """Return the converter's name and version, as runs show it."""
    return f"{CONVERTER} {_version('imx500-converter')}"


def _refuse_damage(lacking: str) -> None:
    """Raise StageError in an environment that was completed once: a model that stays unconverted because
    of its damage must not be cached, as the environment's identity is the same once it is repaired.
    """
    if virtualenv.is_made(Path(sys.prefix)):
        raise StageError(
            f"{lacking} is missing in its environment, which is damaged: remove the folder "
            f"{sys.prefix}; the next run makes it again"
        )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"
