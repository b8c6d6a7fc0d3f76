"""How a stage's inputs, outputs and parameters become the parameters of a project's entry point.

Each input and output is passed as the parameter of its name, or inserted into another one:
`params: {data: "{inputs.train}"}`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from engine import spelling
from engine.contract import REQUIRED
from engine.contract import Parameter as Contracted
from engine.errors import UserError, did_you_mean
from engine.projects.spec import EntryPoint

MLFLOW_RUN = "mlflow_run"  # the output that every project has: what it logged
PLACEHOLDER = re.compile(r"\{(inputs|outputs)\.(\w+)\}")
_TEXT = "str | int | float | bool"
_ANNOTATIONS = {"float": "float", "int": "int", "integer": "int"}
_PATHS = ("string", "path", "uri")  # types that can hold the path of an input or an output
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the use case gives to the entry point."""

    inputs: frozenset[str]
    outputs: frozenset[str]  # without the run itself
    params: Mapping[str, Any]
    where: str  # the stage's location, for messages
    files: Mapping[str, str] = field(default_factory=dict)  # the project's

    @property
    def inserted(self) -> frozenset[str]:
        """Return the inputs and outputs that values of parameters refer to, as `inputs.x`."""
        texts = [value for value in self.params.values() if isinstance(value, str)]
        found = [match for text in texts for match in PLACEHOLDER.findall(text)]
        return frozenset(f"{group}.{name}" for group, name in found)

    @property
    def groups(self) -> dict[str, frozenset[str]]:
        """Return the names of inputs and outputs."""
        return {"inputs": self.inputs, "outputs": self.outputs}


def parameters(entry: EntryPoint, given: Given) -> dict[str, Contracted]:
    """Return the parameters that `params:` may set."""
    if entry.accepts_any:
        return {name: Contracted(_TEXT, value) for name, value in given.params.items()}
    return {
        name: Contracted(_ANNOTATIONS.get(one.type, _TEXT), one.default)
        for name, one in entry.parameters.items()
        if name not in given.inputs | given.outputs | {MLFLOW_RUN}
    }


def passed(entry: EntryPoint, given: Given) -> list[str]:
    """Return the names of the parameters of the command, in order."""
    if not entry.accepts_any:
        return list(entry.parameters)
    own = [
        name
        for group, names in given.groups.items()
        for name in sorted(names)
        if f"{group}.{name}" not in given.inserted
    ]
    return [*given.params, *own]


def mistakes(entry: EntryPoint, given: Given) -> Iterator[UserError]:
    """Yield all mistakes; those that the contract would show are among them, so that all are reported at
    once.
    """
    paths = given.inputs | given.outputs
    yield from _twice(given)
    yield from _insertions(given)
    yield from _of_contract(entry, given)
    for name, value in given.params.items():
        if name not in paths and (one := entry.parameters.get(name)):
            yield from _odd_value(name, one.type, value, given)
    for name, one in entry.parameters.items():
        if one.default is not REQUIRED and name not in {*given.params, *given.inputs}:
            yield from _odd_default(entry, name, given)
    if not entry.accepts_any:
        for group, names in given.groups.items():
            for name in sorted(names):
                yield from _not_passed(entry, group, name, given)


def _of_contract(entry: EntryPoint, given: Given) -> Iterator[UserError]:
    """Yield unknown names, values of another type, and required parameters that are missing."""
    known, where = parameters(entry, given), f"{given.where}.params"
    for name, value in given.params.items():
        if name in given.inputs | given.outputs:
            continue
        if name not in known:
            what = f"the entry point '{entry.name}' has no parameter '{name}'"
            yield UserError(f"{where}.{name}", what, did_you_mean(name, known))
        elif why := known[name].refusal(value):
            what = f"{spelling.shown(value)} {why}"
            yield UserError(f"{where}.{name}", what, f"write {known[name].wanted}")
    for name, one in known.items():
        if one.default is REQUIRED and name not in given.params:
            what = f"the entry point '{entry.name}' needs the parameter '{name}'"
            fix = f"add params: {{{name}: <{entry.parameters[name].type}>}}"
            fix += f", or inputs: {{{name}: stage.output}}, or outputs: [{name}]"
            yield UserError(where, what, fix)


def _twice(given: Given) -> Iterator[UserError]:
    for name in sorted(given.inputs & given.outputs):
        where = f"{given.where}.outputs"
        what = f"'{name}' is passed twice: it is also an input"
        yield UserError(where, what, "rename one of the two")
    for group, names in given.groups.items():
        for name in sorted(names & given.params.keys()):
            kind = group.removesuffix("s")
            what = f"'{name}' is passed twice: the path of the {kind} is passed already"
            yield UserError(f"{given.where}.params.{name}", what, f"remove it, or the {kind}")
    if MLFLOW_RUN in given.outputs:
        what = f"every project has the output '{MLFLOW_RUN}'"
        yield UserError(f"{given.where}.outputs", what, "remove it from the list")


def _insertions(given: Given) -> Iterator[UserError]:
    for name, value in given.params.items():
        for group, one in PLACEHOLDER.findall(value) if isinstance(value, str) else ():
            if one not in given.groups[group]:
                known = [f"{key}.{each}" for key, names in given.groups.items() for each in names]
                what = f"there is no '{group}.{one}' to insert"
                fix = did_you_mean(f"{group}.{one}", known)
                yield UserError(f"{given.where}.params.{name}", what, fix)


def _odd_value(name: str, kind: str, value: object, given: Given) -> Iterator[UserError]:
    """Yield why a path or a URI is not accepted."""
    where = f"{given.where}.params.{name}"
    if not isinstance(value, str) or PLACEHOLDER.search(value):
        return
    if kind == "uri" and not _SCHEME.match(value):
        what = f"'{value}' is not a URI"
        yield UserError(where, what, "write https://..., or make it an input of the stage")
    if kind == "path" and not _SCHEME.match(value) and not _is_in_project(value, given):
        what = f"'{value}' is not in the project, so the stage would not notice its changes"
        fix = f"pass it as an input: inputs: {{{name}: asset:KEY}}"
        yield UserError(where, what, fix)


def _odd_default(entry: EntryPoint, name: str, given: Given) -> Iterator[UserError]:
    one = entry.parameters[name]
    where = f"{entry.where}.parameters.{name}.default"
    annotation = Contracted(_ANNOTATIONS.get(one.type, _TEXT), one.default)
    if why := annotation.refusal(one.default):
        yield UserError(where, f"{one.default!r} {why}", f"write {annotation.wanted}")
    for found in _odd_value(name, one.type, one.default, given):
        yield UserError(where, found.what, found.fix)


def _is_in_project(path: str, given: Given) -> bool:
    plain = PurePosixPath(path)
    return (
        not plain.is_absolute()
        and ".." not in plain.parts
        and any(file == str(plain) or file.startswith(f"{plain}/") for file in given.files)
    )


def _not_passed(entry: EntryPoint, group: str, name: str, given: Given) -> Iterator[UserError]:
    """Yield why the path of an input or an output does not reach the command."""
    where = f"{given.where}.{group}" + (f".{name}" if group == "inputs" else "")
    if f"{group}.{name}" in given.inserted:
        return
    one = entry.parameters.get(name)
    if one is None:
        what = f"the entry point '{entry.name}' has no parameter '{name}' for the path"
        free = entry.parameters.keys() - given.inputs - given.outputs - given.params.keys()
        insert = f"insert it into another one: params: {{NAME: '{{{group}.{name}}}'}}"
        near = did_you_mean(name, free, "-") if free else "-"
        fix = insert if near.startswith(("-", "choose")) else f"{near} Or {insert}"
        yield UserError(where, what, fix)
    elif one.type in _ANNOTATIONS:
        what = f"the parameter '{name}' is of type {one.type}, so it cannot be a path"
        yield UserError(where, what, "declare it as path in MLproject, or use another one")
    elif name not in entry.used:
        what = f"the command does not use the parameter '{name}', so the path is not passed"
        yield UserError(f"{entry.where}.command", what, f"add {{{name}}} to the command")
