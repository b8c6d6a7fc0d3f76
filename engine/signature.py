"""The contract of a function stage, from its source: inputs, outputs, parameters, metrics, imports.

Read by its syntax, never imported.
"""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import ordinary
from engine.contract import REQUIRED, Contract, Parameter
from engine.errors import UserError, did_you_mean

_MOST_BYTES = 10_000_000  # of a stage's source
_STAGE_API = "engine.stage"


class Library:
    """The stages that YAML may name: those of the listed packages, found below the roots."""

    def __init__(self, packages: Sequence[str], roots: Sequence[Path]) -> None:
        self.packages, self.roots = tuple(packages), tuple(roots)
        self._known: dict[str, Contract | UserError] = {}
        # Many stages share a helper, and reading and looking through it takes time.
        self._trees: dict[Path, ast.Module] = {}
        self._imported: dict[str, list[tuple[str, bool]]] = {}  # by module

    def signature(self, uses: str, where: str) -> Contract:
        """Return the contract of a stage, or raise UserError that names the nearest one."""
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

    def _look_up(self, uses: str) -> Contract | UserError:
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

    def _read(self, uses: str, path: Path) -> Contract:
        tree = self._parsed(path)
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
        return Contract(
            label=uses,
            subject=f"'{uses}'",
            doc=doc,
            inputs=inputs,
            outputs=outputs,
            params=params,
            metrics=names,
            optional_metrics=left_out,
            sources=sources,
            imports=imports,
            optional_imports=optional,
            programs=_programs(tree),
            modules=(uses,),
            invoke={"module": uses, "function": name},
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
                self._imported[name] = list(_imported(self._parsed(file), name))
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

    def _parsed(self, path: Path) -> ast.Module:
        if path not in self._trees:
            self._trees[path] = ast.parse(ordinary.read(path, _MOST_BYTES).decode("utf-8"), str(path))
        return self._trees[path]


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
