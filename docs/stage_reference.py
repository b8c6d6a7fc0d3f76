"""The parameters of the shipped stages, for docs/reference.py: as JSON Schema and as tables.

Read from the signatures and docstrings in stages/, which are never imported.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import annotation, yamlfile
from engine.contract import REQUIRED, Contract, Parameter
from engine.signature import Library

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = {"type": "string", "pattern": r"\$\{"}  # ${params.x}, resolved before it is checked
HEAD = ("parameter", "type", "default", "meaning")
# "name: text" or "name, name: text", with further lines of the text indented
_ENTRY = re.compile(r"^([a-z]\w*(?:, [a-z]\w*)*): +(.*(?:\n +.*)*)", re.MULTILINE)


def contracts() -> dict[str, Contract]:
    """Return the contract of each shipped stage, by its name in `uses:`."""
    library = Library(["stages"], [ROOT])
    return {name: library.signature(name, name) for name in library.names()}


def meanings(doc: str) -> dict[str, str]:
    """Return the description of each name in a stage's docstring."""
    return {
        name: " ".join(text.split())
        for names, text in _ENTRY.findall(doc)
        for name in names.split(", ")
    }


def rows(contract: Contract) -> list[tuple[str, ...]]:
    """Return the rows of a stage's table; HEAD has its column names."""
    descriptions = meanings(contract.doc)
    return [
        (f"`{name}`", one.described, _default(one), descriptions.get(name, ""))
        for name, one in contract.params.items()
    ]


def definitions(found: Mapping[str, Contract]) -> dict[str, Any]:
    """Return the schema of each stage's `params:`, by the stage's name."""
    return {name: _params(one) for name, one in found.items()}


def by_uses(found: Mapping[str, Contract]) -> list[dict[str, Any]]:
    """Return the conditions for an object with `uses:` and `params:`, one per stage."""
    return [
        {"if": _uses(name), "then": {"properties": {"params": {"$ref": f"#/$defs/{name}"}}}}
        for name in found
    ]


def by_reference(found: Mapping[str, Contract]) -> list[dict[str, Any]]:
    """Return the conditions for a use case's own `params:`.

    If a stage has `epochs: ${params.epochs}`, the parameter gets the bounds of the stage's `epochs`.
    """
    return [
        {
            "if": _some_stage(_uses(name, key)),
            "then": {"properties": {"params": {"properties": {key: {"$ref": _place(name, key)}}}}},
        }
        for name, contract in found.items()
        for key in contract.params
    ]


def by_use_case(found: Mapping[str, Contract]) -> dict[str, Any]:
    """Return the schema of the parameters that an asset may set in the shipped use cases.

    One of several use cases' parameters of the same name has to accept the value.
    """
    places: dict[str, set[str]] = {}
    for path in sorted((ROOT / "usecases").glob("*.yaml")):
        for stage in (yamlfile.load(path).get("stages") or {}).values():
            contract = found.get(stage.get("uses", ""))
            for key, value in (stage.get("params") or {}).items():
                name = re.fullmatch(r"\$\{params\.(\w+)\}", str(value))
                if name and contract and key in contract.params:
                    places.setdefault(name[1], set()).add(_place(contract.label, key))
    return {
        name: {"anyOf": [{"$ref": place} for place in sorted(found_at)]}
        for name, found_at in sorted(places.items())
    }


def _params(contract: Contract) -> dict[str, Any]:
    """Return the schema of `params:`. None is required, because a shared sub-DAG may set it."""
    descriptions = meanings(contract.doc)
    properties = {
        name: _property(one, descriptions.get(name)) for name, one in contract.params.items()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(parameter: Parameter, meaning: str | None) -> dict[str, Any]:
    about: dict[str, Any] = {"anyOf": [annotation.schema(parameter.annotation), REFERENCE]}
    if meaning:
        about["description"] = meaning
    if parameter.default is not REQUIRED:
        about["default"] = parameter.default
    return about


def _uses(name: str, key: str | None = None) -> dict[str, Any]:
    """Return the schema of a stage that uses this function and sets this parameter, if any."""
    properties: dict[str, Any] = {"uses": {"const": name}}
    if key is not None:
        given = {"properties": {key: {"const": f"${{params.{key}}}"}}, "required": [key]}
        properties["params"] = given
    return {"properties": properties, "required": list(properties)}


def _some_stage(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a use case in which at least one stage matches."""
    stages = {"not": {"additionalProperties": {"not": schema}}}
    return {"properties": {"stages": stages}, "required": ["stages"]}


def _place(name: str, key: str) -> str:
    return f"#/$defs/{name}/properties/{key}"


def _default(parameter: Parameter) -> str:
    if parameter.default is REQUIRED:
        return "required"
    return f"`{json.dumps(parameter.default, ensure_ascii=False)}`"
