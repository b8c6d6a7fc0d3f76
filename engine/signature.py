"""What a stage's source says of it: inputs, outputs, parameters, metrics, imports.

Read by its syntax, never imported.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine import ordinary
from engine.errors import UserError, did_you_mean

_MOST_BYTES = 10_000_000  # of a stage's source
REQUIRED: Any = object()  # the default of a parameter that has none
_STAGE_API = "engine.stage"
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A keyword-only argument: its type as written, and its default."""

    annotation: str
    default: Any = REQUIRED

    def accepts(self, value: Any) -> bool:
        """Say whether the value is of the annotated type; a whole number is a float, True is no number."""
        return _accepts(ast.parse(self.annotation, mode="eval").body, value)


@dataclass(frozen=True, slots=True)
class Signature:
    """A stage's contract."""

    module: str
    function: str
    path: Path
    doc: str
    inputs: Mapping[str, bool]  # name -> is it required
    outputs: tuple[str, ...]
    params: Mapping[str, Parameter]
    metrics: frozenset[str] | None  # None: the stage does not say
    sources: Mapping[str, str]  # project module -> sha256 of its file, the stage's own among them
    imports: frozenset[str]  # top-level packages from outside the project
    optional: frozenset[str] = (
        frozenset()
    )  # those of them that the stage does without, as `except ImportError` says
    optional_metrics: frozenset[str] = frozenset()  # those of them that it may leave out: NotRequired
    programs: tuple[str, ...] = ()  # what it runs from PATH where it is there, listed in its file as PROGRAMS

    @property
    def needs(self) -> frozenset[str]:
        """Return the packages beyond Python's own that the stage cannot do without."""
        return self.imports - self.optional - sys.stdlib_module_names


class Library:
    """The stages that YAML may name: those of the listed packages, found below the roots."""

    def __init__(self, packages: Sequence[str], roots: Sequence[Path]) -> None:
        self.packages, self.roots = tuple(packages), tuple(roots)
        self._known: dict[str, Signature | UserError] = {}
        self._imported: dict[
            str, list[tuple[str, bool]]
        ] = {}  # by module: many stages share a helper, and looking through it takes time

    def signature(self, uses: str, where: str) -> Signature:
        """Return the signature of a stage, or raise UserError that names the nearest one."""
        if uses not in self._known:
            self._known[uses] = self._look_up(uses)
        found = self._known[uses]
        if isinstance(found, UserError):
            raise UserError(where if found.where == "" else found.where, found.what, found.fix)
        return found

    def names(self) -> list[str]:
        """Return all stages, as `uses:` names them."""
        found = {
            ".".join(path.relative_to(root).with_suffix("").parts)
            for root in self.roots
            for package in self.packages
            for path in (root / package).rglob("*.py")
            if not path.name.startswith("_")
        }
        return sorted(found)

    def _look_up(self, uses: str) -> Signature | UserError:
        if uses.split(".")[0] not in self.packages:
            allowed = " or ".join(f"'{package}.'" for package in self.packages)
            return UserError("", f"'{uses}' is outside the stage library", f"name a stage under {allowed}")
        path = self._module_path(uses)
        if path is None or path.name.startswith("_"):
            return UserError("", f"there is no stage '{uses}'", did_you_mean(uses, self.names()))
        try:
            return self._read(uses, path)
        except SyntaxError as error:
            return UserError(
                f"{path}, line {error.lineno}",
                f"Python cannot read it: {error.msg}",
                "mend the stage's source",
            )
        except (
            ValueError,
            RecursionError,
            MemoryError,
        ) as error:  # no UTF-8, a NUL, or brackets a thousand deep
            return UserError(
                str(path),
                f"Python cannot read it: {str(error) or type(error).__name__}",
                "mend the stage's source",
            )
        except UserError as error:
            return error

    def _module_path(self, module: str) -> Path | None:
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for root in self.roots:
            path = root.joinpath(*parts).with_suffix(".py")
            if path.is_file():
                return path
        return None

    def _read(self, uses: str, path: Path) -> Signature:
        tree = _parsed(path)
        name = uses.rpartition(".")[2]
        function = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None)
        if function is None:
            raise UserError(
                str(path), f"it has no function '{name}'", "a stage is a function named as its file"
            )
        inputs, outputs = _paths(function, path)
        sources, imports, optional = self._closure(uses, path)
        params = {
            a.arg: Parameter(ast.unparse(a.annotation) if a.annotation else "str", _default(d, path))
            for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        }
        doc = ast.get_docstring(function) or ast.get_docstring(tree) or ""
        metrics = _metrics(function, tree)
        names = None if metrics is None else frozenset(metrics)
        left_out = frozenset(name for name, is_required in (metrics or {}).items() if not is_required)
        return Signature(
            uses,
            name,
            path,
            doc,
            inputs,
            outputs,
            params,
            names,
            sources,
            imports,
            optional,
            left_out,
            _programs(tree),
        )

    def _closure(self, module: str, path: Path) -> tuple[dict[str, str], frozenset[str], frozenset[str]]:
        """Follow imports through the project's modules.

        Digest those, and name the packages outside, also those that may be absent.
        """
        sources: dict[str, str] = {}
        outside: set[str] = set()
        needed: set[str] = set()
        waiting = [(module, path)]
        while waiting:
            name, file = waiting.pop()
            if name in sources:
                continue
            sources[name] = hashlib.sha256(ordinary.read(file, _MOST_BYTES)).hexdigest()
            if name not in self._imported:
                self._imported[name] = list(_imported(_parsed(file), name))
            for imported, is_guarded in self._imported[name]:
                inner = self._module_path(imported) if self._is_source(imported) else None
                if inner is not None:
                    waiting.append((imported, inner))
                elif imported.split(".")[0] not in (*self.packages, "engine"):
                    outside.add(imported.split(".")[0])
                    needed |= set() if is_guarded else {imported.split(".")[0]}
        return dict(sorted(sources.items())), frozenset(outside), frozenset(outside - needed)

    def _is_source(self, module: str) -> bool:
        """Say whether what a module computes depends on its source: one of stages, or what they share with
        the engine.
        """
        return module.split(".")[0] in self.packages or module.startswith(f"{_STAGE_API}.")


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(ordinary.read(path, _MOST_BYTES).decode("utf-8"), str(path))


def _imported(tree: ast.Module, module: str) -> Iterator[tuple[str, bool]]:
    """Yield every module that an import statement may mean, also inside functions, and whether its absence is
    caught.
    """
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom | ast.Try)]
    tries = [node for node in nodes if isinstance(node, ast.Try) and _catches_absence(node)]
    guarded = {id(inner) for node in tries for statement in node.body for inner in ast.walk(statement)}
    for node in nodes:
        if not isinstance(node, ast.Try):
            yield from ((name, id(node) in guarded) for name in _modules(node, module))


def _catches_absence(node: ast.Try) -> bool:
    names = {
        inner.id
        for handler in node.handlers
        if handler.type
        for inner in ast.walk(handler.type)
        if isinstance(inner, ast.Name)
    }
    return bool(names & {"ImportError", "ModuleNotFoundError"})


def _modules(node: ast.Import | ast.ImportFrom, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        base = ".".join(filter(None, [*module.split(".")[: -node.level], node.module]))
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names)


def _paths(function: ast.FunctionDef, path: Path) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Sort the positional arguments into inputs (and whether they are required) and outputs."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    inputs: dict[str, bool] = {}
    outputs: list[str] = []
    for argument in arguments:
        words = {
            n.id if isinstance(n, ast.Name) else n.attr
            for n in ast.walk(argument.annotation or ast.Constant(None))
            if isinstance(n, ast.Name | ast.Attribute)
        }
        if "Out" in words:
            outputs.append(argument.arg)
        elif "In" in words:
            inputs[argument.arg] = not any(
                isinstance(n, ast.Constant) and n.value is None
                for n in ast.walk(argument.annotation or argument)
            )
        else:
            raise UserError(
                f"{path}, line {argument.lineno}",
                f"'{argument.arg}' is neither In nor Out",
                "annotate paths as In or Out, and put parameters behind a *",
            )
    return inputs, tuple(outputs)


def _default(node: ast.expr | None, path: Path) -> Any:
    if node is None:
        return REQUIRED
    try:
        value = ast.literal_eval(node)
    except ValueError:
        raise UserError(
            f"{path}, line {node.lineno}",
            "a default must be a plain value",
            "write a number, text, a list or None",
        ) from None
    return list(value) if isinstance(value, tuple) else value


def _metrics(function: ast.FunctionDef, tree: ast.Module) -> dict[str, bool] | None:
    """Return the keys of the TypedDict that the function returns, and whether each is required.

    None where it returns nothing.
    """
    if function.returns is None or (
        isinstance(function.returns, ast.Constant) and function.returns.value is None
    ):
        return {}
    name = function.returns.id if isinstance(function.returns, ast.Name) else None
    classes = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    found = next(classes, None)
    if found is None:
        return None
    keys = [n for n in found.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return {
        ast.unparse(key.target): not ast.unparse(key.annotation).startswith("NotRequired[") for key in keys
    }


def _programs(tree: ast.Module) -> tuple[str, ...]:
    """Return the names that the stage's file lists as PROGRAMS."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["PROGRAMS"]:
            return tuple(
                n.value
                for n in ast.walk(node.value)
                if isinstance(n, ast.Constant) and isinstance(n.value, str)
            )
    return ()


def _accepts(node: ast.expr, value: Any) -> bool:
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name):
            wanted = _TYPES.get(name)
            return wanted is None or (
                isinstance(value, wanted) and (name == "bool" or not isinstance(value, bool))
            )
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return value in ast.literal_eval(
                ast.Tuple(choices.elts if isinstance(choices, ast.Tuple) else [choices], ast.Load())
            )
        case ast.Subscript(value=ast.Name(id="list" | "List" | "Sequence"), slice=item):
            return isinstance(value, list | tuple) and all(_accepts(item, one) for one in value)
        case ast.Subscript(value=ast.Name(id="tuple" | "Tuple"), slice=ast.Tuple(elts=items)):
            if len(items) == 2 and isinstance(items[1], ast.Constant) and items[1].value is ...:
                return isinstance(value, list | tuple) and all(_accepts(items[0], one) for one in value)
            return (
                isinstance(value, list | tuple)
                and len(value) == len(items)
                and all(map(_accepts, items, value))
            )
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping")):
            return isinstance(value, Mapping)
    return True
