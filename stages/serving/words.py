"""Reads `key=value` words as options; finds all mistakes before anything starts."""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import operator
import textwrap
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Callable,
    Dict,
    List,
    Literal,
    Sequence,
    Tuple,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from engine.stage.bounds import Range
from stages.serving import options
from stages.serving.mistakes import Mistake, Mistakes, did_you_mean
from stages.serving.options import Options
from stages.serving.reading.address import masked
from stages.tflite import compiled_forms

BOUNDS: "Dict[str, Tuple[str, Callable[[Any, Any], bool]]]" = {
    "ge": (">=", operator.ge),
    "gt": (">", operator.gt),
    "le": ("<=", operator.le),
    "lt": ("<", operator.lt),
}
TYPES = {int: "a whole number", float: "a number", bool: "true or false"}


def parsed(words: Sequence[str]) -> Options:
    """Return the options; raise Mistakes. A list is written as several words with the same key, or as
    key=[a,b].
    """
    kinds = get_type_hints(Options, include_extras=True)
    kinds["accelerator"] = cast(Any, Literal)[("none", *compiled_forms.names())]
    mistakes: List[Mistake] = []
    found: Dict[str, Any] = {}
    for word in words:
        key, has_value, text = word.partition("=")
        if not has_value:
            mistakes.append(Mistake(word, "an option is written as key=value", _spelt(key, kinds)))
        elif key not in kinds:
            what = f"there is no option '{key}'"
            mistakes.append(Mistake(word, what, did_you_mean(key, kinds)))
        else:
            _take(found, key, text, kinds[key], mistakes)
    if mistakes:
        raise Mistakes(mistakes)
    return dataclasses.replace(Options(), **found)


def written(made: Options) -> List[str]:
    """Return the words that make these options; what has its default is left out."""
    words: List[str] = []
    for one in dataclasses.fields(Options):
        value = getattr(made, one.name)
        if value != one.default:
            values = value if isinstance(value, tuple) else [value]
            words += [f"{one.name}={_plain(item)}" for item in values]
    return words


def described() -> List[str]:
    """Return the help: each option with its default, and below it what it means."""
    tree = ast.parse(Path(options.__file__).read_text(encoding="utf-8"))
    body = next(one.body for one in tree.body if isinstance(one, ast.ClassDef))
    texts = {
        ast.unparse(node.target): " ".join(ast.literal_eval(after.value).split())
        for node, after in zip(body, body[1:])
        if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr)
    }
    lines: List[str] = []
    for key, value in dataclasses.asdict(Options()).items():
        lines.append(f"  {key}={_plain(value) if value != () else '[]'}")
        lines += textwrap.wrap(texts[key], 90, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return lines


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spelt(key: str, kinds: Dict[str, Any]) -> str:
    return (
        f"write {key}=VALUE"
        if key in kinds
        else f"write source={masked(key)}, or name another option"
    )


def _take(found: Dict[str, Any], key: str, text: str, kind: Any, mistakes: List[Mistake]) -> None:
    """Add the word's value to what was found, or its mistake."""
    if get_origin(kind) is tuple:
        found[key] = (*found.get(key, ()), *_listed(text))
        return
    try:
        found[key] = _value(text, kind)
    except ValueError as error:
        mistakes.append(
            Mistake(f"{key}={text}", f"{text or 'nothing'} {error.args[0]}", error.args[1])
        )


def _listed(text: str) -> List[str]:
    if text.startswith("[") and text.endswith("]"):
        try:
            return [str(one) for one in json.loads(text)]
        except ValueError:
            return [one.strip() for one in text[1:-1].split(",") if one.strip()]
    return [text]


def _value(text: str, kind: Any) -> Any:
    """Return the text as a value; raise ValueError with what is wrong and the fix."""
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError("is not one of the choices", did_you_mean(text, get_args(kind)))
        return text
    if get_origin(kind) is Annotated:
        kind, *extras = get_args(kind)
        value = _value(text, kind)
        _check(value, [one for one in extras if isinstance(one, Range)], TYPES[kind])
        return value
    if kind is str:
        return text
    read: Dict[Any, Callable[[str], Any]] = {bool: _as_bool, int: int, float: _as_float}
    try:
        return read[kind](text)
    except ValueError:
        raise ValueError(f"is not {TYPES[kind]}", f"write {TYPES[kind]}") from None


def _check(value: Any, ranges: Sequence[Range], kind: str) -> None:
    for one in ranges:
        limits = {name: bound for name, bound in vars(one).items() if bound is not None}
        wanted = " and ".join(f"{BOUNDS[name][0]} {bound:g}" for name, bound in limits.items())
        for name, bound in limits.items():
            sign, holds = BOUNDS[name]
            if not holds(value, bound):
                raise ValueError(f"is not {sign} {bound:g}", f"write {kind} {wanted}")


def _as_bool(text: str) -> bool:
    return (
        {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _no()
    )


def _as_float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no()


def _no() -> Any:
    raise ValueError
