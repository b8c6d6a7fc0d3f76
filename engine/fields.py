"""Parses single values of YAML files (names, durations, sizes, rules), and explains validation errors."""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ValidationError,
    WithJsonSchema,
)

from engine.errors import UserError, did_you_mean
from engine.vocabulary import SUFFIX

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 100 * 365 * 86400.0  # within the range of clocks and kernel timers
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)i?B?")
_MOST_BYTES = (1 << 63) - 1  # the limit of Docker's integers and of Linux's file sizes
_BYTES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_RULE = re.compile(r"(>=|<=|>|<|==)\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(\s+if\s+measured)?")


def duration_s(value: object) -> float:
    """Return seconds of `90`, `90s`, `1.5m`, `2h`."""
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"'{value!s:.80}' is not a duration; write 90s, 30m or 2h")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError(f"'{value!s:.40}' is longer than 100 years; write 90s, 30m or 2h")
    return seconds


def size_bytes(value: object) -> int:
    """Return bytes of `512M`, `2G`."""
    match = _SIZE.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"'{value}' is not a size; write 512M or 2G")
    size = int(Decimal(match[1]) * _BYTES[match[2]])
    if size > _MOST_BYTES:
        raise ValueError(
            f"'{value!s:.20}' is more than any machine has; write a size such as 512M or 2G"
        )
    return size


def _identifier(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' is not a valid name; use only ASCII letters, digits and _, and start with a letter"
        )
    return name


def _condition(key: str) -> str:
    """Accept a key of a target, or `params.` or `assets.` and the name of a parameter or asset."""
    prefix = next((one for one in ("params.", "assets.") if key.startswith(one)), "")
    _identifier(key.removeprefix(prefix))
    return key


def _output(word: str) -> str:
    """Accept a name with an optional file suffix."""
    name, dot, suffix = word.partition(".")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'{word}' is not a valid name of an output; use only ASCII letters, digits and _, start with a "
            "letter, and end a file's name with its suffix, such as model.keras; it cannot contain a folder"
        )
    if dot and not SUFFIX.fullmatch(dot + suffix):
        raise ValueError(f"'{dot}{suffix}' is not a file suffix; write {name}, or {name}.csv")
    return word


def _stage_name(name: str) -> str:
    """Accept a name with the suffix that `foreach` adds, which engine/foreach.py has checked."""
    _identifier(name.partition("@")[0])
    return name


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            f"'{name}' is not the name of an environment variable; use only letters, "
            "digits and _, and do not start with a digit"
        )
    return name


def _param(value: object) -> object:
    """Accept a plain value, a list of them, or a mapping of both."""
    if isinstance(value, Mapping):
        for key in value:
            _identifier(str(key))
    inner = value.values() if isinstance(value, Mapping) else [value]
    for one in inner:
        many = one if isinstance(one, list | tuple) else [one]
        if not all(isinstance(item, bool | int | float | str | None) for item in many):
            raise ValueError(
                f"a plain value is expected here (it is {value!r:.80}); write a number, text, true, "
                "false or null, a list of them, or a mapping of such values"
            )
    return value


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("an environment variable cannot contain the character NUL; remove it")
    return value


def rule(text: object) -> str:
    """Return a gate's rule in canonical form: operator, space, number, and `if measured` if present."""
    if text is None:
        raise ValueError(
            'null is not a rule; write ">= 0.85", or remove the gate with ~ before its key, as '
            "'~stages.score.require.accuracy'"
        )
    match = _RULE.fullmatch(str(text).strip())
    if not match or not math.isfinite(float(match[2])):
        raise ValueError(f"'{text!s:.80}' is not a rule; write \">= 0.85\"")
    return f"{match[1]} {match[2]}" + (" if measured" if match[3] else "")


_Model = TypeVar("_Model", bound=BaseModel)
_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
}
_OF_TYPE = {"type", "parsing", "from_float"}
_OF_A_UNION = {"bool_type", "int_type", "float_type", "string_type", "list_type"}

Name = Annotated[str, AfterValidator(_identifier)]
OutputName = Annotated[str, AfterValidator(_output)]
ConditionKey = Annotated[str, AfterValidator(_condition)]
StageName = Annotated[str, AfterValidator(_stage_name)]
EnvName = Annotated[str, AfterValidator(_variable)]
EnvValue = Annotated[str, AfterValidator(_without_nul)]
Duration = Annotated[float, BeforeValidator(duration_s)]
Size = Annotated[int, BeforeValidator(size_bytes)]
Rule = Annotated[str, BeforeValidator(rule)]
Scalar = bool | int | float | str | None
_SCALAR = {"type": ["boolean", "integer", "number", "string", "null"]}
_SCALARS = [_SCALAR, {"type": "array", "items": _SCALAR}]
ParamValue = Annotated[
    Any,
    AfterValidator(_param),
    WithJsonSchema(
        {"anyOf": [*_SCALARS, {"type": "object", "additionalProperties": {"anyOf": _SCALARS}}]}
    ),
]


def validated(model: type[_Model], data: Mapping[str, object], wrong: str, where: str) -> _Model:
    """Return the model of the data, or raise all validation errors together."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ExceptionGroup(wrong, explain_all(error, model, where)) from None


def explain_all(error: ValidationError, model: type[BaseModel], where: str) -> list[UserError]:
    """Turn pydantic's errors into UserErrors."""
    found: dict[tuple[object, ...], list[object]] = {}
    for mistake in error.errors(include_url=False):
        by_value = (
            mistake["loc"][:-1],
            id(mistake["input"]),
        )  # pydantic reports a value that fits no type of a union once for each type
        found.setdefault(
            by_value if mistake["type"] in _OF_A_UNION else (mistake["loc"],), []
        ).append(mistake)
    return [
        _explained(same[0], model, where) if len(same) == 1 else _fits_nothing(same[0], where)
        for same in found.values()
    ]


def _explained(mistake: Any, model: type[BaseModel], where: str) -> UserError:
    # in brackets: not a part of the file, but "[key]", or a type that a value may have
    location = [str(part) for part in mistake["loc"] if not str(part).startswith("[")]
    key = f"{where}: {'.'.join(location)}"
    kind = mistake["type"]
    if kind == "extra_forbidden":
        return UserError(
            key,
            f"there is no key '{location[-1]}' here",
            did_you_mean(location[-1], _keys_at(model, location[:-1])),
        )
    if kind == "missing":
        return UserError(
            key, f"the key '{location[-1]}' is missing", f"add '{location[-1]}: ...' to the file"
        )
    message = mistake["msg"].removeprefix("Value error, ")
    given = mistake.get("input")
    shown = f" (it is {given!r:.80})" if kind != "value_error" else ""
    what, _, fix = message.partition("; ")
    what = _expected(kind) or what.replace("Input should", "the value should")
    what = what[0].lower() + what[1:]
    if kind.startswith("literal"):
        fix = did_you_mean(str(given), re.findall(r"'([^']*)'", mistake["ctx"]["expected"]))
    return UserError(key, what + shown, fix or _fix_for(kind, given))


def _fits_nothing(mistake: Any, where: str) -> UserError:
    key = ".".join(str(part) for part in mistake["loc"][:-1] if not str(part).startswith("["))
    return UserError(
        f"{where}: {key}",
        f"a plain value is expected here (it is {mistake['input']!r:.80})",
        "write a number, text, true, false or null, or a list of them",
    )


def _expected(kind: str) -> str | None:
    """Return what is expected instead of a value of the wrong type, for an error type of pydantic's."""
    wanted, _, why = kind.partition("_")
    return f"{_TYPES[wanted]} is expected" if wanted in _TYPES and why in _OF_TYPE else None


def _fix_for(kind: str, given: object) -> str:
    if kind == "string_type" and isinstance(given, bool | int | float):
        return f'write text, in quotes: "{given}"'
    by_kind = {
        "int": "write a whole number",
        "float": "write a number",
        "bool": "write true or false",
        "greater": "write a larger number",
        "less": "write a smaller number",
        "string": "write text",
        "dict": "write 'key: value' lines below it",
        "mapping": "write 'key: value' lines below it",
        "tuple": "write a list: [a, b]",
    }
    return next(
        (fix for start, fix in by_kind.items() if kind.startswith(start)),
        "see docs/reference.md for this key",
    )


def _keys_at(model: type[BaseModel], location: Sequence[str]) -> list[str]:
    """Return the keys allowed at a location such as stages.train.resources."""
    for part in location:
        if part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as Mapping[str, StageSpec]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
