"""The server as the engine sees it: its options, and the files of its program for a device.

stages/serving/options.py declares the options for the device too. It is parsed, never imported.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field, create_model

from engine import syntax
from engine.catalogue import ROOT
from engine.options import CommandOptions, Words

FILE = ROOT / "stages" / "serving" / "options.py"
OF_TARGET = ("accelerator", "runtime")  # options that the target decides
PROGRAM = (  # what `python -m stages.serving` needs of this project
    "engine/__init__.py",
    "engine/stage",
    "stages/__init__.py",
    "stages/accelerator.py",
    "stages/accelerators",
    "stages/estimators",
    "stages/media",
    "stages/serving",
    "stages/tasks",
    "stages/tflite",
)
RUN = "a run's name, its id or the beginning of it, or latest; null: the newest complete run"
_TYPES: Mapping[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}


class _Options(CommandOptions):
    """What the server's options have besides those of its file."""

    IS_CACHED: ClassVar[bool] = False  # a source may contain a password

    run: str | None = Field(None, description=RUN)


@cache
def options() -> type[CommandOptions]:
    """Return the options of `serve`: those of the server without those of the target, and `run`."""
    fields = {name: field for name, *field in _declared() if name not in OF_TARGET}
    made = create_model("Options", __base__=_Options, **cast(Any, _fields(fields)))
    return cast(type[CommandOptions], made)


def program_files(root: Path = ROOT) -> list[Path]:
    """Return the files to copy to a device, relative to the project; the package comes in addition."""
    found = [
        path
        for name in (*PROGRAM, *_used_by_accelerators(root))
        for path in ((root / name).rglob("*") if (root / name).is_dir() else [root / name])
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return sorted(path.relative_to(root) for path in found)


def _used_by_accelerators(root: Path) -> set[str]:
    """Return the packages that the accelerators' files import, such as the process of a driver."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in _accelerator_files(root)]
    names = {name for tree in trees for name, _ in syntax.imports(tree, "stages.accelerators.one")}
    packages = {"/".join(name.split(".")[:2]) for name in names if name.startswith("stages.")}
    return {name for name in packages if name not in PROGRAM and (root / name).is_dir()}


def _accelerator_files(root: Path) -> list[Path]:
    return sorted((root / "stages" / "accelerators").glob("[a-z]*.py"))


def accelerators() -> tuple[str, ...]:
    """Return the accelerators on which the server can run models, and `none`."""
    return ("none", *(path.stem for path in _accelerator_files(ROOT)))


def words(given: CommandOptions, more: Mapping[str, Any]) -> list[str]:
    """Return the options, and more of them, as words of the server's command line."""
    defaults = type(given).defaults()
    changed = {
        key: value
        for key, value in given.model_dump().items()
        if key not in _Options.model_fields and _plain(value) != _plain(defaults[key])
    }
    return [
        f"{key}={_text(one)}"
        for key, value in {**changed, **more}.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]


def _declared() -> Iterator[tuple[str, Any, Any, str]]:
    """Yield name, type, default and description of each option in the file."""
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    body = next(one.body for one in tree.body if isinstance(one, ast.ClassDef))
    for node, after in pairwise(body):
        match node, after:
            case (
                ast.AnnAssign(
                    target=ast.Name(id=name), annotation=kind, value=ast.expr() as default
                ),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, _type(kind), ast.literal_eval(default), " ".join(text.split())


def _type(node: ast.expr) -> Any:
    """Return the type of an annotation, with its bounds."""
    match node:
        case ast.Name(id=name):
            return _TYPES[name]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return Literal[ast.literal_eval(choices)]
        case ast.Subscript(
            value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, ast.Call() as range])
        ):
            bounds = {str(one.arg): ast.literal_eval(one.value) for one in range.keywords}
            return Annotated[_type(kind), Field(**bounds)]
    return Words  # Tuple[str, ...]


def _fields(declared: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the fields of a pydantic model: type and default with description."""
    return {
        name: (kind, Field(default, description=text))
        for name, (kind, default, text) in declared.items()
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
