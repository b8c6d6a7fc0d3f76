"""`list`: list use cases, targets, assets, and stages with their parameters."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from engine import catalogue, yamlfile
from engine.contract import REQUIRED, Contract
from engine.errors import UserError
from engine.options import CommandOptions
from engine.request import Request
from engine.signature import Library


class Options(CommandOptions):
    """The options of `list`."""

    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print everything that can be chosen, as text, or as JSON with format=json."""
    found = {
        "use cases": _described(catalogue.usecases(request.config_dirs)),
        "targets": _described(catalogue.of_group("target", request.config_dirs)),
        "assets": _described(catalogue.of_group("asset", request.config_dirs)),
        "stages": _stages(Library(request.settings.stage_packages, request.roots)),
    }
    if request.options.format == "json":
        print(json.dumps(found, indent=2))
        return 0, None
    for kind, things in found.items():
        print(f"{kind}:")
        _print(things)
    return 0, None


def _print(things: Mapping[str, Mapping[str, Any]]) -> None:
    """Print names and descriptions in columns; print the signature of a stage below it."""
    width = max(map(len, things), default=0)
    for name, facts in things.items():
        print(f"  {name:<{width}}  {facts['description']}".rstrip())
        for line in facts.get("signature", ()):
            print(f"      {line}")


def _described(files: dict[str, Path]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for name, path in files.items():
        try:
            found[name] = {"description": str(yamlfile.load(path).get("description", ""))}
        except UserError as mistake:
            found[name] = {"description": f"(cannot be read: {mistake.what})"}
    return found


def _stages(library: Library) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, object]] = {}
    for name in library.names():
        try:
            contract = library.signature(name, name)
        except UserError as mistake:
            found[name] = {"description": f"(cannot be read: {mistake.what})"}
            continue
        found[name] = {
            "description": contract.doc.partition("\n")[0],
            "signature": _lines(contract),
        }
    return found


def _lines(contract: Contract) -> list[str]:
    inputs = [
        name if required else f"{name} (optional)" for name, required in contract.inputs.items()
    ]
    params = [
        f"{name}: {p.described}" + ("" if p.default is REQUIRED else f" = {p.default!r}")
        for name, p in contract.params.items()
    ]
    rows = (
        ("reads", inputs),
        ("writes", contract.outputs),
        ("parameters", params),
        ("metrics", sorted(contract.metrics or ())),
    )
    return [f"{label} {', '.join(values)}" for label, values in rows if values]
