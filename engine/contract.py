"""What the engine knows of a stage, whatever its kind: what it reads, writes, returns and depends
on.

Frozen data. A kind of stage (engine/kinds/<key>.py) makes a `Contract` of what the YAML declares.
"""

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = object()  # the default of a parameter that has none
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its type as written in Python, and its default."""

    annotation: str
    default: Any = REQUIRED

    def accepts(self, value: Any) -> bool:
        """Say whether the value is of the annotated type; a whole number is a float, True is no
        number.
        """
        return _accepts(ast.parse(self.annotation, mode="eval").body, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a use case declares of a stage, as its kind reads it."""

    value: Any  # of the kind's own key
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    params: Mapping[str, Any]
    where: str  # the stage's place in its file, for messages: "u.yaml: stages.train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a stage asks for and promises."""

    label: str  # what it runs, in one line
    subject: str = ""  # what messages call it
    doc: str = ""
    inputs: Mapping[str, bool] = field(default_factory=dict)  # name -> is it required
    outputs: tuple[str, ...] = ()
    params: Mapping[str, Parameter] = field(default_factory=dict)
    metrics: frozenset[str] | None = frozenset()  # None: nobody can say
    optional_metrics: frozenset[str] = frozenset()  # those of them that it may leave out
    sources: Mapping[str, Any] = field(
        default_factory=dict
    )  # what its fingerprint counts of its code
    imports: frozenset[str] = frozenset()  # top-level packages from outside the project
    optional_imports: frozenset[str] = frozenset()  # those of them that it does without
    programs: tuple[str, ...] = ()  # what it runs from PATH if it is there
    modules: tuple[str, ...] = ()  # what a warm process may import before the stage starts
    invoke: Mapping[str, Any] = field(default_factory=dict)
    """What job.json says of it: `module` and `function`, or `command` with its placeholders."""

    @property
    def needs(self) -> frozenset[str]:
        """Return the packages beyond Python's own that the stage cannot do without."""
        return self.imports - self.optional_imports - sys.stdlib_module_names


def unread(declared: Declared) -> Contract:
    """Return what can be said of a stage whose own contract cannot be read: what the YAML declares."""
    return Contract(
        label=str(declared.value),
        inputs=dict.fromkeys(declared.inputs, True),
        outputs=declared.outputs,
        params=as_declared(declared),
        metrics=None,
    )


def as_declared(declared: Declared) -> dict[str, Parameter]:
    """Return the parameters of a kind that takes any: those that the YAML gives."""
    return {name: Parameter("Any", value) for name, value in declared.params.items()}


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
                return isinstance(value, list | tuple) and all(
                    _accepts(items[0], one) for one in value
                )
            return (
                isinstance(value, list | tuple)
                and len(value) == len(items)
                and all(map(_accepts, items, value))
            )
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping")):
            return isinstance(value, Mapping)
    return True
