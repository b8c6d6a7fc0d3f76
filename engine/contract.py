"""The contract of a stage, whatever its kind: its inputs, outputs, parameters, metrics and
dependencies.

Frozen data. A kind of stage (engine/kinds/<key>.py) turns the YAML's declaration into a `Contract`.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import annotation

REQUIRED: object = object()  # the default of a parameter that has none


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its type as written in Python, and its default."""

    annotation: str
    default: object = REQUIRED

    @property
    def type(self) -> str:
        """Return the type without its bounds, as written in Python."""
        return annotation.type_of(self.annotation)

    @property
    def described(self) -> str:
        """Return the type with its bounds, as a person reads it."""
        return annotation.described(self.annotation)

    @property
    def wanted(self) -> str:
        """Return what to write, for messages."""
        return annotation.wanted(self.annotation)

    def refusal(self, value: object) -> str | None:
        """Return why the value is refused, as in "is not >= 1"; None if it is accepted."""
        return annotation.refusal(self.annotation, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A stage as the use case declares it, for its kind."""

    value: Any  # of the kind's own key
    inputs: Collection[str]  # their names
    outputs: tuple[str, ...]
    suffixes: Mapping[str, str] = field(default_factory=dict)  # of outputs that have one
    params: Mapping[str, Any]
    where: str  # the stage's place in its file, for messages: "u.yaml: stages.train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a stage requires and provides."""

    label: str  # what it runs, in one line
    subject: str = ""  # what messages call it
    doc: str = ""
    inputs: Mapping[str, bool] = field(default_factory=dict)  # name -> is it required
    outputs: tuple[str, ...] = ()
    suffixes: Mapping[str, str] = field(default_factory=dict)  # of outputs that have one: ".json"
    params: Mapping[str, Parameter] = field(default_factory=dict)
    metrics: frozenset[str] | None = frozenset()  # None: nobody can say
    optional_metrics: frozenset[str] = frozenset()  # those of them that it may leave out
    sources: Mapping[str, Any] = field(
        default_factory=dict
    )  # what its fingerprint counts of its code
    imports: frozenset[str] = frozenset()  # top-level packages from outside the project
    optional_imports: frozenset[str] = frozenset()  # those of them that it does without
    programs: tuple[str, ...] = ()  # what it runs from PATH if it is there
    # parameter -> package of which it names the module that the stage imports when it runs
    loads: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()  # what a warm process may import before the stage starts
    invoke: Mapping[str, Any] = field(default_factory=dict)
    """What job.json says of it: `module` and `function`, or `command` with its placeholders."""

    def file_of(self, output: str) -> str:
        """Return what the output's file or folder is called."""
        return output + self.suffixes.get(output, "")

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
        suffixes=declared.suffixes,
        params=as_declared(declared),
        metrics=None,
    )


def as_declared(declared: Declared) -> dict[str, Parameter]:
    """Return the parameters of a kind that takes any: those that the YAML gives."""
    return {name: Parameter("Any", value) for name, value in declared.params.items()}
