"""The kinds of stages: engine/kinds/<key>.py, found by name. The file name is the key in YAML."""

from functools import cache
from typing import Any, Protocol, cast

from pydantic import Field

from engine import extensions
from engine.contract import Contract, Declared
from engine.signature import Library

KEYS = extensions.names("kinds")


class Kind(Protocol):
    """A kind of stage: one module in engine/kinds/, found by its name, which is the key in YAML."""

    VALUE: Any  # the type of the key's value in YAML
    DESCRIPTION: str  # of the key, for docs/reference.md and the JSON Schema

    @staticmethod
    def contract(declared: Declared, library: Library) -> Contract:
        """Return the stage's contract; raise an ExceptionGroup of every UserError found."""


@cache
def of(key: str) -> Kind:
    """Return the kind of stage with this key."""
    return cast(Kind, extensions.module("kinds", key))


def fields() -> dict[str, Any]:
    """Return the fields that the kinds add to the model of a stage: one optional field each."""
    return {
        key: (of(key).VALUE | None, Field(None, description=of(key).DESCRIPTION)) for key in KEYS
    }
