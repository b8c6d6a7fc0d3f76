"""The kinds of stages: engine/kinds/<key>.py, found by name. The file's name is the key in YAML."""

import importlib
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import Field

from engine.interfaces import Kind

KEYS = sorted(path.stem for path in (Path(__file__).parent / "kinds").glob("[a-z]*.py"))


@cache
def of(key: str) -> Kind:
    """Return the kind that the key stands for."""
    return cast(Kind, importlib.import_module(f"engine.kinds.{key}"))


def fields() -> dict[str, Any]:
    """Return the fields that the kinds add to a stage's form: one each, which may be left out."""
    return {key: (of(key).VALUE | None, Field(None, description=of(key).DESCRIPTION)) for key in KEYS}
