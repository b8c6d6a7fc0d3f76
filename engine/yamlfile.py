"""Reads a YAML file as plain data, and refuses unsafe or surprising content: bombs, tags, duplicate
keys, other encodings.
"""

import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml

from engine import ordinary, plain, spelling
from engine.errors import UserError, UserErrors

MAX_BYTES = 10_000_000
MAX_DEPTH = 40
MAX_NODES = 500_000  # after expansion of aliases

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_READ_AS = {
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "timestamp": "a date",
    "seq": "a list",
    "map": "a mapping",
}


class _Refused(yaml.MarkedYAMLError):
    """Well-formed YAML that is refused, and what to write instead."""

    def __init__(self, node: yaml.Node, problem: str, fix: str) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)
        self.fix, self.index = fix, node.start_mark.index if node.start_mark else 0


class _StrictLoader(_Loader):  # type: ignore[misc, valid-type]
    """Load safe YAML in which `1e-3` is a number, as in Hydra, numbers are decimal, keys are text and
    unique, and all values are plain. What is refused is collected.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.refused: dict[int, _Refused] = {}  # by position in the text

    def refuse(self, found: "_Refused") -> None:
        """Record a refusal, once per position."""
        self.refused.setdefault(found.index, found)

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key_node in self._text_keys(node):
            if key_node.value in seen:
                what = f"the key '{key_node.value}' appears twice"
                self.refuse(_Refused(key_node, what, "keep one of the two"))
            seen.add(key_node.value)
        self.flatten_mapping(node)  # keys merged with `<<`
        self._text_keys(node)
        mapping: dict[Hashable, object] = super().construct_mapping(node, deep)
        return mapping

    def _text_keys(self, node: yaml.MappingNode) -> list[yaml.ScalarNode]:
        """Return the keys that are text; refuse the others."""
        found = []
        for key_node, _ in node.value:
            try:
                _refuse_odd_key(key_node)
                found.append(key_node)
            except _Refused as refused:
                self.refuse(refused)
        return found


def _refuse_odd_key(node: yaml.Node) -> None:
    """Refuse a key that is not text: a list cannot be a key, and YAML would change 1, on or 2024-01-31."""
    kind = node.tag.rpartition(":")[2]
    if not isinstance(node, yaml.ScalarNode):
        raise _Refused(
            node,
            f"a key cannot be {_READ_AS.get(kind, 'a list or a mapping')}",
            "write the key as text",
        )
    if kind in _READ_AS:
        raise _Refused(
            node,
            f"the key '{node.value:.80}' is read as {_READ_AS[kind]}",
            f'write it in quotes: "{node.value:.80}"',
        )


def _constructor(kind: str) -> Callable[["_StrictLoader", yaml.ScalarNode], object]:
    """Return a constructor for values of this kind, which refuses values that are not plain."""
    made = getattr(_Loader, f"construct_yaml_{kind}")

    def construct(loader: _StrictLoader, node: yaml.ScalarNode) -> object:
        try:
            return accepted(loader, node)
        except _Refused as refused:
            loader.refuse(refused)
            return None

    def accepted(loader: _StrictLoader, node: yaml.ScalarNode) -> object:
        try:
            value = made(loader, node)
        except (
            ValueError,
            OverflowError,
            AttributeError,
        ):  # such as 0x_, 2024-13-45, or a number of 5,000 digits
            raise _Refused(
                node,
                f"'{node.value:.80}' cannot be parsed",
                f'to write it as text, put it in quotes: "{node.value:.80}"',
            ) from None
        if kind == "timestamp":
            raise _Refused(
                node,
                f"'{node.value:.80}' is a date, which no key accepts",
                f'write it in quotes: "{node.value:.80}"',
            )
        if found := plain.fault(value, node.value):
            raise _Refused(node, *found)
        if kind in ("int", "float") and not spelling.is_decimal(node.value):
            raise _Refused(node, *spelling.not_decimal(node.value))
        return value

    return construct


for _kind in ("int", "float", "str", "timestamp"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _constructor(_kind))
_StrictLoader.add_constructor("tag:yaml.org,2002:value", _constructor("str"))  # YAML 1.1's `=`
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?(?:[eE][-+]?\d+)$|^[-+]?\d[\d_]*\.[\d_]*$|^[-+]?\.\d+(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)


def load(path: Path) -> dict[str, Any]:
    """Return the mapping in the file; raise UserError for anything else."""
    text = _text(path)
    try:
        _refuse_bombs(path, text)
        data = _loaded(path, text)
    except yaml.YAMLError as error:
        raise _explained(path, text, error) from None
    if data is None:
        raise UserError(str(path), "the file is empty", "write the YAML, or remove the file")
    if not isinstance(data, dict):
        raise UserError(
            str(path),
            f"a mapping is expected, not a {type(data).__name__}",
            "begin with 'name: ...'",
        )
    return data


def _loaded(path: Path, text: str) -> Any:
    """Return the content of the text; raise all refusals together, in order."""
    loader = _StrictLoader(text)  # a SafeLoader: no tag reaches code
    try:
        data = loader.get_single_data()
    except yaml.constructor.ConstructorError:  # such as a list as a key
        if not loader.refused:
            raise
    finally:
        loader.dispose()
    if loader.refused:
        found = [loader.refused[at] for at in sorted(loader.refused)]
        raise UserErrors([_explained(path, text, one) for one in found])
    return data


def _text(path: Path) -> str:
    try:
        data = ordinary.read(path, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise UserError(
                str(path),
                f"a YAML file may have at most {MAX_BYTES:,} bytes",
                "split the file",
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            str(path), f"it cannot be read: {error.strerror}", "check the path and its permissions"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            str(path), f"it is not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from None


def _refuse_bombs(path: Path, text: str) -> None:
    """Count the nodes that expansion would produce, without expanding: aliases multiply."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, nodes counted before it
    nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        if (
            isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
            and event.tag is not None
        ):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise UserError(
                f"{path}, line {line}", f"tags are not allowed: '{event.tag}'", "write plain values"
            )
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise UserError(
                    f"{path}",
                    f"*{event.anchor} refers to itself and would never end",
                    "write the value out",
                )
            nodes += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, nodes))
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = nodes - before
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
        if nodes > MAX_NODES:
            raise UserError(
                str(path),
                f"its aliases expand to more than {MAX_NODES:,} values",
                "write the values out, or split the file",
            )
        if len(open_nodes) > MAX_DEPTH:
            raise UserError(
                str(path), f"it is nested more than {MAX_DEPTH} levels deep", "flatten it"
            )


def _explained(path: Path, text: str, error: yaml.YAMLError) -> UserError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    where = f"{path}, line {line}"
    lines = text.splitlines()
    around = lines[max(0, line - 2) : line + 1]
    if any(re.search(r"[{\[,].*:\s*\$\{", one) for one in around):
        return UserError(
            where,
            "inside { } a value with ${...} needs quotes, because YAML reads its braces as "
            "a mapping",
            'write {epochs: "${params.epochs}"}, or one key per line',
        )
    problem = str(getattr(error, "problem", None) or error).splitlines()[0]
    if isinstance(error, _Refused):
        return UserError(where, problem, error.fix)
    if "\\t" in problem or any(re.match(r" *\t", one) for one in lines[line - 1 : line]):
        problem = "YAML does not allow a tab here"
    return UserError(where, problem, "indent with two spaces, one 'key: value' per line")
