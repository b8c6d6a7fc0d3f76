"""What an event, a stage's own words and a record must look like: each is checked here when it is
read from a file.

Who wrote the file does not matter: a stage may write anything, and a disk may flip a bit.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from engine.events import FIELDS, FIGURES
from engine.vocabulary import Event

TEXT_MOST = 10_000  # letters of a sentence that a stage says; the rest is cut off
SAYS = ("progress", "metric", "note", "figure")  # the events that a stage may write
_RECORD = (
    "fingerprint",
    "stage",
    "outputs",
    "metrics",
    "points",
    "figures",
    "notes",
    "seconds",
    "platform",
    "emulated",
    "taken",
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    r"""Return text that can be written as UTF-8: a byte of a file name that is not UTF-8 is shown as
    \xe9.
    """
    return _SURROGATE.sub(lambda found: _shown(ord(found[0])), text)


def checked(event: Any) -> Event | None:
    """Return the event of a journal, or None for what is none.

    One of a kind that only a newer version knows is as it is.
    """
    try:
        stamped = _form("event").validate_python(event)
        if stamped["event"] not in FIELDS:
            return dict(stamped)
        found: Event = _form(stamped["event"]).validate_python(event)
        if found["event"] == "figure" and found["kind"] in FIGURES:
            return {**found, **_figure(found)}
    except ValidationError:
        return None
    return found


def said(line: Any) -> dict[str, Any]:
    """Return what a stage said, with the fields of its kind and no more.

    ValueError, in a sentence, for anything else.
    """
    kind = line.get("event") if isinstance(line, dict) else None
    if kind not in SAYS:
        raise ValueError(f"an event is one of {', '.join(SAYS)}")
    try:
        found = _form(kind).validate_python({**line, "stage": "own", "v": 0, "seq": 0})
        figure = _figure(line) if kind == "figure" else {}
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise ValueError(f"{'.'.join(map(str, (kind, *first['loc'])))}: {first['msg']}") from None
    own = {name: found[name] for name in FIELDS[kind] if name != "stage"}
    return {"event": kind, "time": found["time"], **own, **figure}


def result(data: Any) -> dict[str, Any]:
    """Return what a stage's result.json says; empty where it is not what engine.stage writes."""
    try:
        return dict(_result_form().validate_python(data, strict=True))
    except ValidationError:
        return {}


def is_record(data: Any) -> bool:
    """Say whether the data is a record of the store."""
    try:
        _form("record").validate_python(data)
    except ValidationError:
        return False
    return True


def _figure(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure's own fields; ValidationError where they do not belong together."""
    kind = next((kind for kind in FIGURES if kind == data.get("kind")), "confusion_matrix")
    found = _form(kind).validate_python(dict(data))
    return {name: found[name] for name in ("kind", "name", *FIGURES[kind])}


@cache
def _form(name: str) -> "TypeAdapter[dict[str, Any]]":
    """Return what checks an event of this kind, a figure of this kind, any event at all ("event"),
    or a record.
    """
    stamp = {
        "v": Count,
        "seq": Count,
        "time": Moment,
        "event": str if name == "event" else Literal[name],
    }
    if name == "event":
        return _adapter(name, stamp)
    if name == "record":
        return _adapter(
            name, {"v": Count, "parts": dict[str, dict[str, Any]], **_types(name, _RECORD)}
        )
    if name in FIGURES:
        return _adapter(
            name, {"kind": Literal[name], **_types(name, ("name", *FIGURES[name]))}, _FITS[name]
        )
    return _adapter(name, {**stamp, **_types(name, FIELDS[name])})


@cache
def _result_form() -> "TypeAdapter[Result]":
    return TypeAdapter(Result)


def _adapter(
    name: str, fields: Mapping[str, Any], fits: Callable[[Any], Any] = dict
) -> "TypeAdapter[dict[str, Any]]":
    make: Any = TypedDict  # of fields that are known here alone
    form: Any = make(name, dict(fields))
    form.__pydantic_config__ = ConfigDict(
        extra="allow", strict=True
    )  # a newer version may say more
    whole: Any = Annotated[form, AfterValidator(fits)]
    return TypeAdapter(whole)


def _types(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _SPECIAL.get((kind, name), _TYPES[name]) for name in names}


def _shown(code: int) -> str:
    is_byte = 0xDC80 <= code <= 0xDCFF  # PEP 383, surrogateescape
    return f"\\x{code - 0xDC00:02x}" if is_byte else "\N{REPLACEMENT CHARACTER}"


def _cut(text: str) -> str:
    words = well_formed(text)
    return words if len(words) <= TEXT_MOST else words[: TEXT_MOST - 4] + " ..."


def _is_square(figure: dict[str, Any]) -> dict[str, Any]:
    if len({len(row) for row in (figure["labels"], figure["matrix"], *figure["matrix"])}) > 1:
        raise ValueError("a confusion matrix has a row and a column for each label")
    return figure


def _has_its_nodes(figure: dict[str, Any]) -> dict[str, Any]:
    if any(not 0 <= node < len(figure["nodes"]) for edge in figure["edges"] for node in edge):
        raise ValueError("an edge names a node that is not there")
    return figure


_FITS = {"confusion_matrix": _is_square, "op_graph": _has_its_nodes}

Text = Annotated[str, AfterValidator(_cut)]
Shown = BeforeValidator(lambda value: well_formed(value) if isinstance(value, str) else value)
Label = Annotated[str, Field(max_length=250), Shown]
Name = Annotated[str, Field(min_length=1, max_length=250), Shown]
Count = Annotated[
    int, Field(ge=-(2**53), le=2**53)
]  # what every reader of JSON keeps exactly: RFC 8259, section 6
Finite = Annotated[float, Field(allow_inf_nan=False)]
Moment = Annotated[float, Field(ge=-1e11, le=1e11, allow_inf_nan=False)]  # seconds since 1970
Key = Annotated[
    str, Field(pattern=r"^\w[\w@.-]*$", max_length=250)
]  # of a stage or an output: it becomes part of a path
Digest = Annotated[str, Field(pattern=r"^(file|tree):[0-9a-f]{64}$")]
Metrics = dict[Name, Finite]
Edge = Annotated[list[Count], Field(min_length=2, max_length=2)]


class Op(TypedDict):
    """One operator of a graph."""

    type: Label
    mapped: bool
    reason: Text | None


class Job(TypedDict, total=False):
    """A stage as `run_started` has it."""

    stage: Required[Key]
    uses: str
    doc: str
    inputs: dict[str, str]
    outputs: list[str]
    params: dict[str, Any]
    platform: str
    runs_on: str
    needs: list[str]
    values: int


class Asset(TypedDict):
    """An asset as `run_started` has it."""

    key: Name
    name: str
    digest: str | None
    source: str
    licence: str | None
    path: str | None
    sample: bool


class Result(TypedDict, total=False):
    """What engine.stage leaves in result.json."""

    metrics: Metrics
    error: Text
    exit_status: Count


class Point(TypedDict):
    """A point of a curve, as `metric` says it and a record keeps it: a list of these values."""

    name: Name
    step: Count
    value: float
    time: Moment


def _is_point(point: list[Any]) -> list[Any]:
    found = TypeAdapter(Point).validate_python(
        dict(zip(Point.__annotations__, point, strict=True)), strict=True
    )
    return list(found.values())


_TYPES: dict[str, Any] = {
    "run_id": Name,
    "usecase": str,
    "target": str,
    "machine": str,
    "command": list[str],
    "git_commit": str | None,
    "objective": NotRequired[str | None],
    "assets": list[Asset],
    "jobs": list[Job],
    "params": dict[str, Any],
    "stage": Key,
    "text": Text,
    "fingerprint": Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")],
    "outputs": dict[Key, str],
    "metrics": Metrics,
    "points": list[
        Annotated[list[Any], Field(min_length=4, max_length=4), AfterValidator(_is_point)]
    ],
    "figures": list[Annotated[dict[str, Any], AfterValidator(_figure)]],
    "notes": list[Text],
    "seconds": Finite,
    "platform": str,
    "emulated": bool,
    "taken": str,
    "attempt": Count,
    "log": str,
    "done": Finite,
    "total": Finite,
    "message": Text,
    "kind": str,
    "name": Name,
    "value": float,
    "step": Count,
    "log_tail": str,
    "retry_in_s": Finite | None,
    "because": str,
    "metric": str,
    "rule": str,
    "passed": bool | None,
    "status": Literal["finished", "failed", "rejected", "interrupted"],
    "labels": list[Label],
    "matrix": list[list[Count]],
    "nodes": list[Op],
    "edges": list[Edge],
}
_SPECIAL: dict[tuple[str, str], Any] = {  # a field that may be something else in one kind of event
    ("record", "outputs"): dict[Key, Digest],
    ("job_cached", "notes"): NotRequired[list[Text]],
    ("note", "stage"): Key | None,
    ("run_finished", "seconds"): Finite | None,
    ("gate", "value"): Finite | None,
}
