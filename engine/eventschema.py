"""The schemas of events, of a stage's reports and of records, which validate what is read from a file.

No file is trusted, whoever wrote it: a stage may write anything, and a disk may flip a bit.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import TypedDict  # the only one that pydantic accepts before Python 3.12

from engine import figure_kinds
from engine.events import FIELDS
from engine.jsontypes import Count, Finite, Label, Moment, Name, Text
from engine.vocabulary import Direction, Event

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
    "measured_on",
)


def checked(event: Any) -> Event | None:
    """Return the event of a journal, or None if it is invalid.

    An event of an unknown kind, from a newer version, is returned unchecked. So is a figure: the code
    that draws it checks it.
    """
    try:
        stamped = _form("event").validate_python(event)
        if stamped["event"] not in FIELDS:
            return dict(stamped)
        return dict(_form(stamped["event"]).validate_python(event))
    except ValidationError:
        return None


def report(line: Any) -> dict[str, Any]:
    """Return the report of a stage, reduced to the fields of its kind.

    Raise ValueError, with a sentence, for anything else.
    """
    kind = line.get("event") if isinstance(line, dict) else None
    if kind not in SAYS:
        raise ValueError(f"an event is one of {', '.join(SAYS)}")
    try:
        found = _form(kind).validate_python({**line, "stage": "own", "v": 0, "seq": 0})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise ValueError(f"{'.'.join(map(str, (kind, *first['loc'])))}: {first['msg']}") from None
    own = {name: found[name] for name in FIELDS[kind] if name != "stage"}
    if kind == "figure":
        try:
            own = figure_kinds.checked(line)
        except ValueError as error:
            raise ValueError(f"figure.{error}") from None
    return {"event": kind, "time": found["time"], **own}


def result(data: Any) -> dict[str, Any]:
    """Return a stage's result.json; empty if it is not in the form that engine.stage writes."""
    try:
        return dict(_result_form().validate_python(data, strict=True))
    except ValidationError:
        return {}


def is_record(data: Any) -> bool:
    """Return whether the data is a record of the store."""
    try:
        _form("record").validate_python(data)
    except ValidationError:
        return False
    return True


@cache
def _form(name: str) -> "TypeAdapter[dict[str, Any]]":
    """Return the validator for events of this kind, for any event ("event"), or for a record."""
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
    return _adapter(name, {**stamp, **_types(name, FIELDS[name]), **_OPTIONAL.get(name, {})})


@cache
def _result_form() -> "TypeAdapter[Result]":
    return TypeAdapter(Result)


def _adapter(name: str, fields: Mapping[str, Any]) -> "TypeAdapter[dict[str, Any]]":
    make: Any = TypedDict  # the fields are known only at run time
    form: Any = make(name, dict(fields))
    form.__pydantic_config__ = ConfigDict(
        extra="allow", strict=True
    )  # a newer version may add fields
    return TypeAdapter(form)


def _types(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _SPECIAL.get((kind, name), _TYPES[name]) for name in names}


Key = Annotated[
    str, Field(pattern=r"^\w[\w@.-]*$", max_length=250)
]  # the name of a stage or an output, which becomes part of a path
Digest = Annotated[str, Field(pattern=r"^(file|tree):[0-9a-f]{64}$")]
Metrics = dict[Name, Finite]


class Figure(TypedDict):
    """A figure of any kind, as stored."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    kind: Label
    name: Name


class Job(TypedDict, total=False):
    """A stage in `run_started`."""

    stage: Required[Key]
    uses: str
    doc: str
    inputs: dict[str, str]
    outputs: list[str]
    params: dict[str, Any]
    platform: str
    runs_on: str
    formerly: str
    needs: list[str]
    values: int


class SweepJob(TypedDict):
    """The job of a sweep, in `run_started`."""

    id: Name
    job: Count
    jobs: Count | None
    changes: list[str]


class Best(TypedDict):
    """The rule for the best job of a sweep, in `run_started`."""

    prefer: Name
    limits: dict[Key, str]


class Asset(TypedDict):
    """An asset in `run_started`."""

    key: Name
    name: str
    digest: str | None
    source: str
    licence: str | None
    path: str | None
    sample: bool
    modified: NotRequired[float | None]


class Result(TypedDict, total=False):
    """The content of result.json, which engine.stage writes."""

    metrics: Metrics
    error: Text
    exit_status: Count
    measured_on: Text  # where its figures were measured, if it ran elsewhere


class Point(TypedDict):
    """A point of a curve, in `metric` events and records: a list of these values."""

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
    "figures": list[Figure],
    "notes": list[Text],
    "seconds": Finite,
    "platform": str,
    "emulated": bool,
    "measured_on": str,
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
    "status": Literal["finished", "failed", "rejected", "pruned", "interrupted"],
}
_OPTIONAL: dict[str, dict[str, Any]] = {  # fields that older journals lack
    "run_started": {
        "name": NotRequired[Name],
        "until": NotRequired[list[str]],
        "git_modified": NotRequired[bool | None],
        "left_out": NotRequired[dict[Key, str]],
        "parent_run": NotRequired[str | None],
        "sweep": NotRequired[SweepJob | None],
        "objectives": NotRequired[dict[str, Direction]],
        "best": NotRequired[Best | None],
    }
}
_SPECIAL: dict[tuple[str, str], Any] = {  # fields whose type differs in one kind of event
    ("record", "outputs"): dict[Key, Digest],
    ("job_cached", "notes"): NotRequired[list[Text]],
    ("job_finished", "measured_on"): NotRequired[str],
    ("note", "stage"): Key | None,
    ("run_finished", "seconds"): Finite | None,
    ("gate", "value"): Finite | None,
}
