"""Parses the log of the Edge TPU's compiler: the mapping with reasons, the bytes, and failures."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from stages.coral import readable

MAPPED = "Mapped to Edge TPU"
STATUSES = (
    MAPPED,
    "More than one subgraph is not supported",
    "Operation is otherwise supported, but not mapped due to some unspecified limitation",
    "Operation is working on an unsupported data type",
    "Operation not supported",
    "Operation version not supported",
    "Filter, bias, or other param is not constant at compile-time",
    "Tensor has unsupported rank (up to 3 innermost dimensions mapped)",
)
ABORTED = "Internal compiler error. Aborting!"  # sometimes at random (google-coral/edgetpu#211)
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ROW = re.compile(r"([A-Z][A-Z0-9_]*)\s+(\d+)\s+(\S.*)")
_FRAME = re.compile(
    r"Edge TPU Compiler version |Started a compilation |Compilation child process |Compilation "
    r"failed!|Invalid model: |\s*$"
)
_AFTER_THE_TABLE = re.compile(
    r"See the operation log|Compilation |Model |Edge TPU Compiler|Number of |Input|Output|\.\.\. "
)
# The compiler's messages on failure, and the fix for each.
_FAILURES = (
    (
        "Model not quantized",
        "the model is not quantised, but the Edge TPU needs 8-bit models: compile the "
        "output of the stage quantise",
    ),
    (
        "dynamic-sized tensors",
        "the model has tensors of dynamic size: give the network a batch of 1 and fixed shapes",
    ),
    (
        "Compilation timeout",
        "the compiler gave up after its time limit, usually because of large "
        "activations: make the input or the widest layer smaller",
    ),
    (
        "large activation tensors",
        "an activation of the model is too large for the Edge TPU: make the input or the "
        "widest layer smaller",
    ),
    (
        ABORTED,
        "the compiler gave up with 'Internal compiler error', usually because a layer is "
        "too large: make the input or the widest layer smaller",
    ),
    (
        "could not be parsed",
        "the compiler cannot read the model: the file is damaged, or its converter is "
        "newer than the compiler",
    ),
    (
        "Invalid model",
        "the compiler does not recognise the file as a valid model: convert it again",
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """The number of operators of a type with the same status."""

    type: str
    count: int
    status: str


@dataclass(frozen=True, slots=True)
class CompilerLog:
    """The compiler's report on a model that it compiled."""

    version: str
    operations: int
    on_edgetpu: int
    on_cpu: int
    subgraphs: int
    on_chip_bytes: int  # parameters that stay in the Edge TPU's memory
    on_chip_remaining_bytes: int
    off_chip_bytes: int  # parameters that are sent at each inference
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        names = (
            "version",
            "operations",
            "on_edgetpu",
            "on_cpu",
            "subgraphs",
            "on_chip_bytes",
            "on_chip_remaining_bytes",
            "off_chip_bytes",
        )
        rows = [{"type": row.type, "count": row.count, "status": row.status} for row in self.rows]
        return {name: getattr(self, name) for name in names} | {"operators": rows}


def parse(text: str) -> CompilerLog:
    """Return the contents of the log.

    Missing numbers are computed from the table; without a table, all operators count as mapped.
    """
    rows = table(text)
    counts = Counter[bool]()
    for row in rows:
        counts[row.status == MAPPED] += row.count
    total = _number("Total number of operations", text, sum(counts.values()))
    on_cpu = _number("Number of operations that will run on CPU", text, counts[False])
    return CompilerLog(
        version=_first_group(r"Edge TPU Compiler version (\S+)", text) or "unknown",
        operations=total,
        on_edgetpu=_number("Number of operations that will run on Edge TPU", text, total - on_cpu),
        on_cpu=on_cpu,
        subgraphs=_number("Number of Edge TPU subgraphs", text, 0),
        on_chip_bytes=_bytes("On-chip memory used for caching model parameters", text),
        on_chip_remaining_bytes=_bytes(
            "On-chip memory remaining for caching model parameters", text
        ),
        off_chip_bytes=_bytes("Off-chip memory used for streaming uncached model parameters", text),
        rows=rows,
    )


def table(text: str) -> tuple[Row, ...]:
    """Return the rows of the operators' table.

    A type has one row per status, and a long status may be wrapped.
    """
    rows: list[Row] = []
    _, _, below = _partitioned(text)
    for line in map(str.strip, below.splitlines()):
        match = _ROW.fullmatch(line)
        if match:
            rows.append(Row(match[1], int(match[2]), _status(match[3])))
        elif _AFTER_THE_TABLE.match(line):
            break
        elif line and rows:
            rows[-1] = Row(rows[-1].type, rows[-1].count, _status(f"{rows[-1].status} {line}"))
    return tuple(rows)


def failure(text: str, status: int) -> str:
    """Return a sentence that says why the compiler failed, and what to do."""
    newer = re.search(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'", text)
    if newer:
        return readable.unreadable(newer[1], int(newer[2]))
    custom = _first_group(r"Encountered unresolved custom op: (\w+)", text)
    if custom:
        return (
            f"the compiler does not know the custom operator {custom}: remove it from the "
            "model, and do its work afterwards"
        )
    known = next((sentence for mark, sentence in _FAILURES if mark in text), None)
    if known:
        return known
    reason = _first_group(r"Compilation failed: ([^\n]+)", text) or next(
        (line for line in reversed(text.split("\n")) if not _FRAME.match(line)), None
    )
    if reason is None:
        return (
            f"the compiler ended with exit status {status} without a reason, usually "
            "because of an operation or a size that it does not support"
        )
    return f"the compiler ended with exit status {status} and reported: {reason.strip()[:300]}"


def _partitioned(text: str) -> tuple[str, str, str]:
    head = re.search(r"^Operator\s+Count\s+Status\s*$", text, re.MULTILINE)
    return (text[: head.start()], head[0], text[head.end() :]) if head else (text, "", "")


def _status(words: str) -> str:
    """Return the known status in these words, however they are wrapped."""
    bare = re.sub(r"\s", "", words)
    return next((status for status in STATUSES if re.sub(r"\s", "", status) == bare), words)


def _number(name: str, text: str, otherwise: int) -> int:
    found = _first_group(rf"{re.escape(name)}:\s*(\d+)", text)
    return int(found) if found else otherwise


def _bytes(name: str, text: str) -> int:
    found = re.search(rf"{re.escape(name)}:\s*([\d.]+)\s*(B|KiB|MiB|GiB)", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else 0


def _first_group(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
