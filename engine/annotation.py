"""What the annotation of a stage's parameter accepts: its type, choices and bounds.

An annotation is the text of the source. It is parsed, never evaluated.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}
_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool], str]] = {
    "ge": (">=", operator.ge, "minimum"),
    "gt": (">", operator.gt, "exclusiveMinimum"),
    "le": ("<=", operator.le, "maximum"),
    "lt": ("<", operator.lt, "exclusiveMaximum"),
}
_IN_JSON = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}


def refusal(annotation: str, value: Any) -> str | None:
    """Return why the value is refused, such as "is not >= 1"; None if it is accepted.

    A whole number counts as a float; True does not count as a number.
    """
    return _refusal(ast.parse(annotation, mode="eval").body, value)


def described(annotation: str) -> str:
    """Return the annotation in readable form: "int >= 1", "float > 0 and < 1 or None"."""
    return _described(ast.parse(annotation, mode="eval").body)


def wanted(annotation: str) -> str:
    """Return what to write: "a value of type int >= 1", "'a' or 'b'", "true or false"."""
    if annotation == "bool":
        return "true or false"
    said = described(annotation)
    return said if annotation.startswith("Literal[") else f"a value of type {said}"


def schema(annotation: str) -> dict[str, Any]:
    """Return the JSON Schema of the accepted values; {} for an unknown type."""
    return _schema(ast.parse(annotation, mode="eval").body)


def type_of(annotation: str) -> str:
    """Return the annotation without its bounds."""
    node = ast.parse(annotation, mode="eval").body
    return ast.unparse(node.slice.elts[0] if _is_annotated(node) else node)  # type: ignore[attr-defined]


def check(node: ast.expr) -> None:
    """Raise ValueError if a bound is not a literal in the source."""
    for one in ast.walk(node):
        if _is_annotated(one):
            for bound in one.slice.elts[1:]:  # type: ignore[attr-defined]
                _bounds(bound)


def _is_annotated(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Annotated"
        and isinstance(node.slice, ast.Tuple)
    )


def _bounds(node: ast.expr) -> list[tuple[str, float]]:
    """Return the bounds of `Range(ge=1, lt=10)`, the lower one first."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise ValueError("bounds must be written as Range(ge=1)")
    if node.func.id != "Range" or node.args:
        raise ValueError("bounds must be written as Range(ge=1)")
    found = {str(word.arg): _number(word.value) for word in node.keywords}
    if unknown := found.keys() - _BOUNDS.keys():
        raise ValueError(f"Range has no bound '{unknown.pop()}': write ge, gt, le or lt")
    return [(name, found[name]) for name in _BOUNDS if name in found]


def _number(node: ast.expr) -> float:
    try:
        bound = ast.literal_eval(node)
    except ValueError:
        bound = None
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        raise ValueError("a bound must be a number")
    return bound


def _refusal(node: ast.expr, value: Any) -> str | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        reasons = [_refusal(side, value) for side in (node.left, node.right)]
        return None if None in reasons else _nearest(reasons)
    if _is_annotated(node):
        kind, *bounds = node.slice.elts  # type: ignore[attr-defined]
        return _refusal(kind, value) or _out_of(bounds, value)
    if _is_of(node, value):
        return None
    return "is not one of the choices" if _is_choice(node) else f"is not of type {_described(node)}"


def _nearest(reasons: list[str | None]) -> str | None:
    """Return which bound refuses the value, if one of the types fits apart from its bounds."""
    return next((why for why in reasons if why and "type" not in why), reasons[0])


def _out_of(bounds: list[ast.expr], value: Any) -> str | None:
    if value is None:
        return None
    for name, bound in (pair for node in bounds for pair in _bounds(node)):
        sign, holds, _ = _BOUNDS[name]
        if not holds(value, bound):
            return f"is not {sign} {bound}"
    return None


def _is_choice(node: ast.expr) -> bool:
    return ast.unparse(node).startswith("Literal[")


def _is_of(node: ast.expr, value: Any) -> bool:
    """Return whether the value is of the type, down to the items of lists."""
    match node:
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name):
            wanted = _TYPES.get(name)
            return wanted is None or (
                isinstance(value, wanted) and (name == "bool" or not isinstance(value, bool))
            )
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return any(type(value) is type(one) and value == one for one in _choices(choices))
        case ast.Subscript(value=ast.Name(id="list" | "List" | "Sequence"), slice=item):
            return isinstance(value, list | tuple) and all(_accepts(item, one) for one in value)
        case ast.Subscript(value=ast.Name(id="tuple" | "Tuple"), slice=ast.Tuple(elts=items)):
            return isinstance(value, list | tuple) and _are_of(items, value)
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping")):
            return isinstance(value, Mapping)
    return True


def _are_of(items: list[ast.expr], values: Any) -> bool:
    is_open = len(items) == 2 and isinstance(items[1], ast.Constant) and items[1].value is ...
    if is_open:  # tuple[int, ...]
        return all(_accepts(items[0], value) for value in values)
    return len(values) == len(items) and all(map(_accepts, items, values))


def _accepts(node: ast.expr, value: Any) -> bool:
    return _refusal(node, value) is None


def _choices(node: ast.expr) -> tuple[Any, ...]:
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    return tuple(ast.literal_eval(one) for one in nodes)


def _described(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return f"{_described(node.left)} or {_described(node.right)}"
    if _is_annotated(node):
        kind, *bounds = node.slice.elts  # type: ignore[attr-defined]
        said = [f"{_BOUNDS[name][0]} {bound}" for one in bounds for name, bound in _bounds(one)]
        return f"{_described(kind)} {' and '.join(said)}"
    match node:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return " or ".join(map(repr, _choices(choices)))
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=items)):
            return f"{name}[{', '.join(map(_described, items))}]"
        case ast.Subscript(value=ast.Name(id=name), slice=item):
            return f"{name}[{_described(item)}]"
    return ast.unparse(node)


def _schema(node: ast.expr) -> dict[str, Any]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return {"anyOf": [_schema(node.left), _schema(node.right)]}
    if _is_annotated(node):
        kind, *bounds = node.slice.elts  # type: ignore[attr-defined]
        pairs = [pair for one in bounds for pair in _bounds(one)]
        return _schema(kind) | {_BOUNDS[name][2]: bound for name, bound in pairs}
    match node:
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Name(id=name) if name in _IN_JSON:
            return {"type": _IN_JSON[name]}
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return {"enum": list(_choices(choices))}
        case ast.Subscript(value=ast.Name(id="list" | "List" | "Sequence"), slice=item):
            return {"type": "array", "items": _schema(item)}
        case ast.Subscript(value=ast.Name(id="tuple" | "Tuple")):
            return {"type": "array"}
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping")):
            return {"type": "object"}
    return {}
