"""Parses a module's source: its imports, and the signature of a stage. Pure."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import annotation
from engine.contract import REQUIRED, Parameter
from engine.errors import UserError
from engine.vocabulary import SUFFIX


def imports(tree: ast.Module, module: str) -> Iterator[tuple[str, bool]]:
    """Yield every module that an import statement may refer to, even inside functions, and whether its
    absence is handled.
    """
    nodes = [
        node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom | ast.Try)
    ]
    tries = [node for node in nodes if isinstance(node, ast.Try) and _catches_absence(node)]
    guarded = {
        id(inner) for node in tries for statement in node.body for inner in ast.walk(statement)
    }
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


def paths(function: ast.FunctionDef, path: Path) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Divide the positional arguments into inputs (and whether they are required) and outputs."""
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
                "annotate paths as In or Out, and put parameters after a *",
            )
    return inputs, tuple(outputs)


def suffixes(function: ast.FunctionDef, path: Path) -> dict[str, str]:
    """Return the outputs annotated as `Annotated[Out, Suffix(".json")]`, with their suffixes."""
    return {
        argument.arg: _suffix(node, path)
        for argument in (*function.args.posonlyargs, *function.args.args)
        for node in ast.walk(argument.annotation or argument)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Suffix"
    }


def _suffix(node: ast.Call, path: Path) -> str:
    match node.args:
        case [ast.Constant(value=str(suffix))] if SUFFIX.fullmatch(suffix):
            return suffix
    raise UserError(
        f"{path}, line {node.lineno}",
        f"{ast.unparse(node)} is not a file suffix",
        'write a dot, then letters and digits: Suffix(".json")',
    )


def _default(node: ast.expr | None, path: Path) -> object:
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


def metrics(function: ast.FunctionDef, tree: ast.Module) -> dict[str, bool] | None:
    """Return the keys of the TypedDict that the function returns, and whether each is required.

    None if it returns nothing.
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
    keys = [
        n for n in found.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    ]
    return {
        ast.unparse(key.target): not ast.unparse(key.annotation).startswith("NotRequired[")
        for key in keys
    }


def programs(tree: ast.Module) -> tuple[str, ...]:
    """Return the names that the stage's file lists as PROGRAMS."""
    return _listed(tree, "PROGRAMS")


def optional(tree: ast.Module) -> tuple[str, ...]:
    """Return the packages that the stage's file lists as OPTIONAL: it can do without them."""
    return _listed(tree, "OPTIONAL")


def _listed(tree: ast.Module, name: str) -> tuple[str, ...]:
    """Return the strings that the file assigns to the name; empty if it does not."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return tuple(
                n.value
                for n in ast.walk(node.value)
                if isinstance(n, ast.Constant) and isinstance(n.value, str)
            )
    return ()


def loads(tree: ast.Module) -> dict[str, str]:
    """Return the LOADS of the stage's file: parameter -> package whose module it names."""
    found: dict[str, str] = _constant(tree, "LOADS")
    return found


def reads(tree: ast.Module) -> dict[str, dict[str, str]]:
    """Return the READS of the stage's file: input -> kind of file -> its first characters."""
    found: dict[str, dict[str, str]] = _constant(tree, "READS")
    return found


def together(tree: ast.Module) -> dict[str, list[str]]:
    """Return the TOGETHER of the stage's file: optional input -> others without which it is useless."""
    found: dict[str, list[str]] = _constant(tree, "TOGETHER")
    return found


def defines(tree: ast.Module) -> dict[str, dict[str, list[str]]]:
    """Return the DEFINES of the stage's file: input -> "FILE:FUNCTION" in that folder -> the arguments that
    the stage passes if the function takes them.
    """
    found: dict[str, dict[str, list[str]]] = _constant(tree, "DEFINES")
    return found


def keywords(tree: ast.Module) -> dict[str, list[str]]:
    """Return the KEYWORDS of the stage's file: parameter -> the input and function of DEFINES whose
    keyword arguments its entries are.
    """
    found: dict[str, list[str]] = _constant(tree, "KEYWORDS")
    return found


def _constant(tree: ast.Module, name: str) -> dict[str, Any]:
    """Return the mapping of literals that the file assigns to the name; empty if it does not."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            found: dict[str, Any] = ast.literal_eval(node.value)
            return found
    return {}


def constant(tree: ast.Module, name: str) -> object:
    """Return the plain value that a class of the module gives to this attribute; None if none does."""
    for node in (inner for one in tree.body if isinstance(one, ast.ClassDef) for inner in one.body):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value.value if isinstance(node.value, ast.Constant) else None
    return None


def parameters(function: ast.FunctionDef, path: Path) -> dict[str, Parameter]:
    """Return the keyword-only arguments, which are the stage's parameters."""
    arguments = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {one.arg: _parameter(one, default, path) for one, default in arguments}


def _parameter(argument: ast.arg, default: ast.expr | None, path: Path) -> Parameter:
    if argument.annotation is None:
        return Parameter("str", _default(default, path))
    try:
        annotation.check(argument.annotation)
    except ValueError as error:
        where = f"{path}, line {argument.lineno}"
        raise UserError(where, str(error), "write Annotated[int, Range(ge=1)]") from None
    return Parameter(ast.unparse(argument.annotation), _default(default, path))
