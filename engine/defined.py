"""Checks the Python files in a user's folder: the functions that a stage calls, and their arguments.

A stage's file lists the functions of an input as DEFINES, and the parameters whose entries it passes to
one of them as KEYWORDS. The files are parsed, never imported: only the stage's own process runs them.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import annotation, ordinary, spelling
from engine.contract import Contract
from engine.errors import UserError, did_you_mean
from engine.wording import as_typed, listed

_MOST_BYTES = 10_000_000  # of a file


@dataclass(frozen=True, slots=True)
class Given:
    """What a stage gives to a function: its own arguments, and entries of parameters by their keys."""

    own: Sequence[str]  # passed only if the function takes them
    entries: Mapping[str, Any] = field(default_factory=dict)
    parameter: str = ""  # whose entries they are; empty: there is none
    where: str = ""  # the stage's location in its file, such as "u.yaml: stages.train"

    def key(self, entry: str) -> str:
        """Return the location of an entry."""
        return f"{self.where}.params.{self.parameter}.{entry}"


def mistakes(
    contract: Contract, key: str, folder: Path, params: Mapping[str, Any], where: str
) -> Iterator[UserError]:
    """Yield what is wrong with the files in the folder that is the stage's input `key`.

    params: of the stage; where: the stage's location in its file, such as "u.yaml: stages.train"
    """
    functions = contract.defines.get(key, {})
    if functions and not folder.is_dir():
        names = listed([_split(one)[0] for one in functions])
        is_one = folder.suffix == ".py"
        fix = "give the folder that contains it" if is_one else f"give a folder with {names}"
        yield UserError(as_typed(folder), "a folder is needed here", fix)
        return
    for name, own in functions.items():
        given = _given(contract, key, name, own, params, where)
        try:
            file, function = _split(name)
            yield from _call(folder / file, function, _tree(folder / file), given)
        except UserError as mistake:
            yield mistake


def _given(
    contract: Contract,
    key: str,
    name: str,
    own: Sequence[str],
    params: Mapping[str, Any],
    where: str,
) -> Given:
    for parameter, (folder_key, function) in contract.keywords.items():
        if [folder_key, function] == [key, name]:
            entries = params.get(parameter)
            found = entries if isinstance(entries, Mapping) else {}
            return Given(own, found, parameter, where)
    return Given(own)


def _split(name: str) -> tuple[str, str]:
    file, _, function = name.partition(":")
    return file, function


def _tree(path: Path) -> ast.Module:
    """Return the file's syntax tree; UserError: it is missing, or Python cannot read it."""
    if path.is_dir():
        fix = f"rename the folder, and write a file {path.name}"
        raise UserError(as_typed(path), "it is a folder, but a Python file is needed", fix)
    if not path.is_file():
        names = [one.name for one in path.parent.iterdir() if one.suffix in (".py", ".ipynb")]
        fix = did_you_mean(path.name, names, f"write the file {path.name}")
        raise UserError(as_typed(path), "there is no such file", fix)
    try:
        return ast.parse(ordinary.read(path, _MOST_BYTES).decode("utf-8-sig"), str(path))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        what = f"invalid Python: {error.msg}"
        raise UserError(f"{as_typed(path)}{line}", what, "correct it") from None
    except (ValueError, RecursionError, MemoryError) as error:  # not UTF-8, a NUL, or deep nesting
        what = f"Python cannot read it: {str(error) or type(error).__name__}"
        raise UserError(as_typed(path), what, "save it as Python source in UTF-8") from None


def _call(path: Path, name: str, tree: ast.Module, given: Given) -> Iterator[UserError]:
    """Yield what is wrong with calling the module's function with these arguments."""
    functions = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    function = functions.get(name)
    if function is None:
        if name not in _bound(tree):  # it may also be imported, or assigned
            fix = did_you_mean(name, functions, f"write 'def {name}(...):'")
            yield UserError(as_typed(path), f"it has no function '{name}'", fix)
        return
    where = f"{as_typed(path)}, line {function.lineno}"
    if isinstance(function, ast.AsyncFunctionDef):
        yield UserError(where, f"'{name}' is asynchronous", f"write 'def {name}', without async")
        return
    yield from _missing(where, function, given)
    yield from _unfit(function, given)


def _missing(where: str, function: ast.FunctionDef, given: Given) -> Iterator[UserError]:
    """Yield a mistake for each argument without a default that nothing gives."""
    found = function.args
    positional = [*found.posonlyargs, *found.args]
    required = positional[: len(positional) - len(found.defaults)]
    required += [
        one for one, default in zip(found.kwonlyargs, found.kw_defaults, strict=True) if not default
    ]
    for argument in required:
        name = argument.arg
        if argument in found.posonlyargs:
            what = f"'{function.name}' takes '{name}' only by its place"
            yield UserError(where, what, "remove the / from its signature")
        elif name in given.own or name in given.entries:
            continue
        elif given.parameter:
            what = f"'{function.name}' ({where}) needs this argument"
            fix = f"set it, or give it a default in '{function.name}'"
            yield UserError(given.key(name), what, fix)
        else:
            what = f"'{function.name}' needs the argument '{name}', which nothing gives"
            yield UserError(where, what, f"give it a default: {name}=VALUE")


def _unfit(function: ast.FunctionDef, given: Given) -> Iterator[UserError]:
    """Yield a mistake for each entry that the function does not take, or whose type is wrong."""
    found = {one.arg: one for one in (*function.args.args, *function.args.kwonlyargs)}
    for name, value in given.entries.items():
        if name in given.own:
            what, fix = f"the stage passes '{name}' by itself", "remove it"
            yield UserError(given.key(name), what, fix)
        elif name not in found:
            if function.args.kwarg is None:
                what = f"'{function.name}' has no argument '{name}'"
                known = [one for one in found if one not in given.own]
                yield UserError(given.key(name), what, did_you_mean(name, known))
        elif why := _refusal(found[name].annotation, value):
            what = f"{spelling.shown(value)} {why}"
            fix = f"write {_wanted(found[name])}, as '{function.name}' declares it"
            yield UserError(given.key(name), what, fix)


def _refusal(node: ast.expr | None, value: object) -> str | None:
    """Return why the value is not of the annotated type; None if it is, or the type is unknown here."""
    try:
        return annotation.refusal(ast.unparse(node), value) if node else None
    except ValueError:  # bounds of another library
        return None


def _wanted(argument: ast.arg) -> str:
    return annotation.wanted(ast.unparse(argument.annotation)) if argument.annotation else ""


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that imports and assignments of the module bind."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
