"""The contract of a stage, whatever its kind: its inputs, outputs, parameters, metrics and
dependencies.

Frozen data. A kind of stage (engine/kinds/<key>.py) turns the YAML's declaration into a `Contract`.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import annotation

REQUIRED: object = object()  # marks a parameter without a default


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
        """Return the type with its bounds, in readable form."""
        return annotation.described(self.annotation)

    @property
    def wanted(self) -> str:
        """Return what to write, for messages."""
        return annotation.wanted(self.annotation)

    def refusal(self, value: object) -> str | None:
        """Return why the value is refused, such as "is not >= 1"; None if it is accepted."""
        return annotation.refusal(self.annotation, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A stage as the use case declares it, for its kind."""

    value: Any  # the value of the kind's own key
    inputs: Collection[str]  # their names
    outputs: tuple[str, ...]
    suffixes: Mapping[str, str] = field(default_factory=dict)  # output -> suffix, such as ".json"
    params: Mapping[str, Any]
    pass_env: Collection[str] = ()  # variables of the caller that the stage gets
    where: str  # the stage's location in its file, for messages: "u.yaml: stages.train"


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Files that a job works on as its own copy: a folder, and the digest of each of its files."""

    folder: Path
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a stage requires and provides."""

    label: str  # what it runs, in one line
    subject: str = ""  # its name in messages
    doc: str = ""
    inputs: Mapping[str, bool] = field(default_factory=dict)  # name -> whether it is required
    outputs: tuple[str, ...] = ()
    suffixes: Mapping[str, str] = field(default_factory=dict)  # output -> suffix, such as ".json"
    params: Mapping[str, Parameter] = field(default_factory=dict)
    metrics: frozenset[str] | None = frozenset()  # None: unknown
    optional_metrics: frozenset[str] = frozenset()  # the metrics that it may leave out
    sources: Mapping[str, Any] = field(default_factory=dict)  # the code that its fingerprint covers
    imports: frozenset[str] = frozenset()  # top-level packages from outside the project
    optional_imports: frozenset[str] = frozenset()  # imports that it can run without
    optional: tuple[str, ...] = ()  # packages that its file declares as such: OPTIONAL
    programs: tuple[str, ...] = ()  # programs that it runs if they are on PATH
    # parameter -> package: the parameter names a module of the package, which the stage imports at run time
    loads: Mapping[str, str] = field(default_factory=dict)
    # input -> allowed kinds of file, each with its first characters: engine/magic.py
    reads: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # optional input -> other optional inputs without which it is useless: engine/together.py
    together: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # input -> "FILE:FUNCTION" that the folder must define -> arguments of the stage: engine/defined.py
    defines: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    # parameter -> the input and function whose keyword arguments its entries are
    keywords: Mapping[str, Sequence[str]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()  # modules that a warm process may import before the stage starts
    extra: frozenset[str] = frozenset()  # outputs that nothing needs to read
    files: OwnFiles | None = None  # copied to `project/` in the job's folder
    # the image that the stage itself names, in a container engine: engine/projects/docker.py
    image: str | None = None
    # mounted in its container: path there -> path in `project/`
    mounts: Mapping[str, str] = field(default_factory=dict)
    only_local: str = ""  # why it runs only as a local process; empty: it runs anywhere
    notes: tuple[str, ...] = ()  # for the user, about what was found when planning
    invoke: Mapping[str, Any] = field(default_factory=dict)
    """Its part of job.json: `module` and `function` (and `arguments` that precede the others), or `command`
    with its placeholders."""

    def file_of(self, output: str) -> str:
        """Return the name of the output's file or folder."""
        return output + self.suffixes.get(output, "")

    @property
    def needs(self) -> frozenset[str]:
        """Return the packages outside the standard library that the stage requires."""
        return self.imports - self.optional_imports - sys.stdlib_module_names


def unread(declared: Declared) -> Contract:
    """Return the contract as far as the YAML declares it, for a stage whose own contract is unreadable."""
    return Contract(
        label=str(declared.value),
        inputs=dict.fromkeys(declared.inputs, True),
        outputs=declared.outputs,
        suffixes=declared.suffixes,
        params=as_declared(declared),
        metrics=None,
    )


def as_declared(declared: Declared) -> dict[str, Parameter]:
    """Return the parameters that the YAML sets, for a kind of stage that accepts any."""
    return {name: Parameter("Any", value) for name, value in declared.params.items()}
