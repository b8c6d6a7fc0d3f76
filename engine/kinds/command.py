"""`command: [word, ...]`: a stage that is a program. The YAML declares its inputs and outputs."""

import re
from collections.abc import Iterator

from engine.contract import Contract, Declared, as_declared
from engine.errors import UserError, did_you_mean
from engine.signature import Library

VALUE = tuple[str, ...]
DESCRIPTION = (
    "or: a command, one word per item; {inputs.x}, {outputs.y} and {params.z} are replaced"
)
_PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?\}")


def contract(declared: Declared, library: Library) -> Contract:
    """Return the contract that the YAML declares; raise all its mistakes together."""
    mistakes = [*_unknown_placeholders(declared), *_wrong_outputs(declared)]
    if mistakes:
        raise ExceptionGroup("the stage is invalid", mistakes)
    return Contract(
        label=" ".join(declared.value),
        subject="a command",
        inputs=dict.fromkeys(declared.inputs, True),
        outputs=declared.outputs,
        suffixes=declared.suffixes,
        params=as_declared(declared),
        sources={"command": list(declared.value), **_suffixes(declared)},
        invoke={"command": list(declared.value)},
    )


def _suffixes(declared: Declared) -> dict[str, object]:
    """Return the suffixes, if any, as part of the sources, because programs depend on them."""
    return {"suffixes": dict(declared.suffixes)} if declared.suffixes else {}


def _unknown_placeholders(declared: Declared) -> Iterator[UserError]:
    known = {"inputs": declared.inputs, "outputs": declared.outputs, "params": declared.params}
    choices = [f"{group}.{name}" for group, names in known.items() for name in names]
    found = [match for word in declared.value for match in _PLACEHOLDER.findall(word)]
    for name in (f"{group}.{name}" for group, name in found):
        if name not in choices:
            what = f"there is no '{name}' to insert"
            yield UserError(f"{declared.where}.command", what, did_you_mean(name, choices))


def _wrong_outputs(declared: Declared) -> Iterator[UserError]:
    where = f"{declared.where}.outputs"
    for name in sorted({name for name in declared.outputs if declared.outputs.count(name) > 1}):
        yield UserError(where, f"'{name}' is listed twice", "keep one of the two")
    if not declared.outputs:
        yield UserError(
            where, "a command must declare its outputs", "write 'outputs: [name]', or [name.csv]"
        )
