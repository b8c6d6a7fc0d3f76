"""Writes docs/reference.md and conf/schema/*.json from the models, the events, the signatures of
stages and conf/config.yaml: `python docs/reference.py`.

With --check it writes nothing, and the exit status is 1 where a file is stale.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import stage_reference
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticUndefined

from engine import (
    asset,
    command_line,
    events,
    fields,
    figure_kinds,
    options,
    spec,
    target,
    yamlfile,
)

WIDTH = 100  # of a line of JSON, where it can be broken
DRAFT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = stage_reference.REFERENCE
MODELS: dict[str, tuple[type[BaseModel], str, str]] = {
    "usecase": (
        spec.UseCase,
        "A use case",
        "`usecases/<name>.yaml`.",
    ),
    "target": (target.Target, "A target", "`conf/target/<name>.yaml`."),
    "asset": (
        asset.Asset,
        "An asset",
        "`conf/asset/<name>.yaml`: what no stage makes. It has either `files` or `made_by`.",
    ),
}
SCALARS = (bool, int, float, str)
WORDS = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    NoneType: "null",
    Any: "any value",
}


def files() -> dict[Path, str]:
    """Return what each made file has to hold."""
    made = {ROOT / "conf" / "schema" / f"{name}.json": _json(schema(name)) for name in MODELS}
    made[ROOT / "docs" / "reference.md"] = reference()
    return made


def stale() -> list[Path]:
    """Return the made files that do not hold what they have to."""
    return [
        path
        for path, text in files().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


class _Input(GenerateJsonSchema):
    """The schema of what a writer types: 30m and 2G, where the model holds seconds and bytes."""

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        return (
            {"type": "string"}
            if schema["schema"]["type"] == "str"
            else {"type": ["number", "string"]}
        )


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of YAML file."""
    model, title, _ = MODELS[name]
    made = model.model_json_schema(schema_generator=_Input)
    made |= {"$schema": DRAFT, "title": title, "description": (model.__doc__ or "").strip()}
    if name == "usecase":
        made["required"] = []  # the name is the file's; every stage may come from a shared sub-DAG
        made["properties"]["stages"].pop("minProperties", None)
        made["properties"]["defaults"] = {
            "type": "array",
            "description": "Hydra's defaults list, as /pipeline@stages: edge_export",
        }
        made = _with_references(made)
    return _with_stages(made, {"usecase": "StageSpec", "asset": "MadeBy"}.get(name))


def _with_stages(made: dict[str, Any], runs: str | None) -> dict[str, Any]:
    """Return the schema with the bounds of the shipped stages, which `runs` has as uses: and params:."""
    if runs is None:
        return made
    found = stage_reference.contracts()
    made["$defs"][runs]["allOf"] = stage_reference.by_uses(found)
    made["$defs"] |= stage_reference.definitions(found)
    if runs == "StageSpec":
        made["allOf"] = stage_reference.by_reference(found)
    return made


def reference() -> str:
    """Return docs/reference.md."""
    parts = [
        "# Reference",
        "Made by `make docs` from the models in `engine/` and the signatures in `stages/`; do not "
        "edit it by hand.",
    ]
    parts += [*_command_line(), *_commands()]
    for model, title, where in MODELS.values():
        parts += [f"## {title}", where]
        for nested in _models(model):
            if nested is not model:
                parts += [f"### {_heading(nested)}", (nested.__doc__ or "").strip()]
            parts.append(_table(("key", "type", "default", "what it means"), _rows(nested)))
    parts += [*_stages(), *_events()]
    return "\n\n".join(parts) + "\n"


def _command_line() -> list[str]:
    text = (ROOT / "conf" / "config.yaml").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\s*(\w+):.*?#\s*(.+)$", text, re.MULTILINE))
    config = yamlfile.load(ROOT / "conf" / "config.yaml")
    groups = {
        key: value
        for entry in config["defaults"]
        if isinstance(entry, dict)
        for key, value in entry.items()
        if "/" not in key
    }
    rows = [(f"`{key}`", f"`{value}`", _place(key)) for key, value in groups.items()]
    rows += [
        (f"`{key}`", f"`{_plain(value)}`", said.get(key.rpartition(".")[2], ""))
        for key, value in _flat(config)
    ]
    return [
        "## The command line",
        "`python run.py [command] key=value ...`. Every command has the keys of `conf/config.yaml`, and "
        "`params.*`, `assets.*` and `stages.*` of the "
        "use case. `-m` with a list (`params.epochs=5,10`) is a sweep.",
        _table(("key", "default", "what it means"), rows),
    ]


def _place(group: str) -> str:
    folder = "usecases" if group == "usecase" else f"conf/{group}"
    return f"a file of `{folder}/`, by its name" + (
        ", or the path of one" if group == "usecase" else ""
    )


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if key in ("hydra", "defaults"):
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _commands() -> list[str]:
    rows = [(f"`{name}`", command_line.summary(name)) for name in command_line.COMMANDS]
    own = [
        (f"`{name}`", f"`{option.key}`", f"`{_plain(option.default)}`", option.description)
        for name in command_line.COMMANDS
        for option in options.declared(command_line.options_of(name))
    ]
    return [
        "### Commands",
        _table(("command", "what it does"), rows),
        "A command's own options; any other command refuses them:",
        _table(("command", "option", "default", "what it means"), own),
        "Exit status: 0 done; 1 a stage failed or a gate rejected; 2 the request is wrong and "
        "nothing started; 130 interrupted. A sweep exits with the highest status of its jobs, "
        "whichever launcher runs them; the folder `outputs` "
        "must be one that all its workers share.",
    ]


def _stages() -> list[str]:
    """Return a table of parameters for each shipped stage that has any."""
    parts = [
        "## Shipped stages",
        "The parameters of the stages that `uses:` may name. `python run.py list` also names their "
        "inputs, outputs and metrics, and the stages of your own.",
    ]
    for name, contract in stage_reference.contracts().items():
        if contract.params:
            table = _table(stage_reference.HEAD, stage_reference.rows(contract))
            parts += [f"### {name}", contract.doc.partition("\n\n")[0].replace("\n", " "), table]
    return parts


def _events() -> list[str]:
    rows = [
        (f"`{kind}`", ", ".join(f"`{name}`" for name in names))
        for kind, names in events.FIELDS.items()
    ]
    figures = [
        (
            f"`{kind}`",
            ", ".join(f"`{name}`" for name in figure_kinds.fields(kind)),
            _first_paragraph(figure_kinds.of(kind)),
        )
        for kind in figure_kinds.names()
    ]
    return [
        "## Events",
        "One JSON object a line in a run's `journal.jsonl`, in this order of fields: `v` (schema "
        "version, now "
        f"{events.SCHEMA_VERSION}), `seq` (from 0, no gaps), `time` (seconds since 1970, UTC), "
        "`event`, and those of its kind. "
        "A reader passes over fields that it does not know.",
        _table(("event", "fields"), rows),
        "A `figure` has more fields, by its `kind`:",
        _table(("kind", "fields", "what it shows"), figures),
    ]


def _first_paragraph(kind: figure_kinds.FigureKind) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the model and those inside it, each once, outermost first."""
    found = [model]
    for field in model.model_fields.values():
        found += [nested for inner in _inside(field.annotation) for nested in _models(inner)]
    return list(dict.fromkeys(found))


def _inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _inside(argument)]


def _heading(model: type[BaseModel]) -> str:
    return {
        "StageSpec": "A stage",
        "Resources": "resources",
        "Defaults": "settings",
        "AssetFile": "A file of files",
        "MadeBy": "made_by",
    }[model.__name__]


def _rows(model: type[BaseModel]) -> list[tuple[str, ...]]:
    return [
        (f"`{name}`", _typed(model, name, field), _default(field), field.description or "")
        for name, field in model.model_fields.items()
    ]


def _typed(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """Return the type of a key; of one of a target the values that the engine's files give it."""
    known = target.choices(name) if model is target.Target else ()
    words = ", ".join(f"`{value}`" for value in known if value is not None)
    return words + " or null" * (None in known) if known else _type(field)


def _default(field: FieldInfo) -> str:
    if (field.description or "").startswith("left out:"):
        return "see there"
    value = (
        field.get_default(call_default_factory=True)
        if field.default is not PydanticUndefined or field.default_factory
        else PydanticUndefined
    )
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "its own"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return json.dumps(value) if isinstance(value, list | tuple | dict) else str(value) or '""'


def _type(field: FieldInfo) -> str:
    for kind, word in ((fields.Duration, "duration"), (fields.Size, "size")):
        if any(mark in field.metadata for mark in kind.__metadata__):
            return word
    return _word(field.annotation)


def _word(annotation: Any) -> str:
    """Return a type as a writer of YAML would say it."""
    named = {
        fields.Name: "name",
        fields.Duration: "duration",
        fields.Size: "size",
        fields.Rule: "rule",
    }
    if annotation in named:
        return named[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        scalar = set(SCALARS) <= set(arguments)  # any plain value: one word for the four
        words = ["value"] * scalar + [
            _word(one)
            for one in arguments
            if one is not NoneType and not (scalar and one in SCALARS)
        ]
        return " or ".join(words + ["null"] * (NoneType in arguments))
    if origin in (tuple, list):
        return f"list of: {_word(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_word(arguments[0])}: {_word(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping, see below"
    return WORDS.get(annotation, "text")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _with_references(node: Any) -> Any:
    """Let ${...} stand wherever a number, a truth value or one of some words is asked for."""
    if isinstance(node, list):
        return [_with_references(one) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("number", "integer", "boolean") or "enum" in node:
        kept = {key: node[key] for key in ("default", "description", "title") if key in node}
        return {
            "anyOf": [{key: value for key, value in node.items() if key not in kept}, REFERENCE],
            **kept,
        }
    return {key: _with_references(value) for key, value in node.items()}


def _json(value: Any) -> str:
    return _written(value, "") + "\n"


def _written(value: Any, indent: str) -> str:
    """Return the value as JSON: on one line if it fits or is a condition, else one item a line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or "if" in value or len(indent + line) <= WIDTH:
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_written(one, deeper)}" for key, one in value.items()]
    else:
        items = [_written(one, deeper) for one in value]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{end}"


def main(arguments: list[str]) -> int:
    """Write what is stale, or with --check only name it."""
    found, made = stale(), files()
    for path in found:
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[path], encoding="utf-8")
        print(path.relative_to(ROOT))
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
