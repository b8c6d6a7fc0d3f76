"""Reads a small YAML or JSON file with the line of each key. YAML needs PyYAML; JSON does not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Tuple

from stages.serving.limited import TooLarge, read_text
from stages.serving.mistakes import Mistake, Mistakes

MOST_VALUES = 20_000  # aliases of YAML can make millions of a few bytes
NO_YAML = "install PyYAML (sudo apt install python3-yaml), or write the file as JSON"
Path_ = Tuple[Any, ...]  # the keys that lead to a value


@dataclass
class Document:
    """Plain data, and where each value is."""

    file: str
    data: Any = None
    lines: Dict[Path_, int] = field(default_factory=dict)
    repeated: List[Path_] = field(default_factory=list)  # keys that a mapping has twice

    def line(self, *path: Any) -> int:
        """Return the line of a value, or of what contains it; 0: unknown."""
        inner_first = (path[:n] for n in range(len(path), 0, -1))
        return next((self.lines[one] for one in inner_first if one in self.lines), 0)

    def where(self, *path: Any) -> str:
        """Return the location of a value, as shown in messages: file, line, keys."""
        key, line = ".".join(map(str, path)), self.line(*path)
        place = f"{self.file}, line {line}" if line else self.file
        return f"{place}: {key}" if key else place


def read(path: Path) -> Document:
    """Return the file's content; raise Mistakes if it cannot be read."""
    name = str(path)
    try:
        text = read_text(path)
    except TooLarge as error:
        raise _mistake(name, str(error.strerror), "write fewer rules") from None
    except UnicodeDecodeError:
        raise _mistake(name, "it is not UTF-8 text", "save the file as UTF-8") from None
    except OSError as error:
        what = f"it cannot be read: {error.strerror}"
        raise _mistake(name, what, "give the path of a file with rules") from None
    return _json(name, text) if text.lstrip().startswith("{") else _yaml(name, text)


def _json(name: str, text: str) -> Document:
    try:
        return Document(name, json.loads(text))
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        what = f"it is not valid JSON: {getattr(error, 'msg', error)}"
        raise _mistake(f"{name}, line {line}", what, "fix the JSON, or write YAML") from None
    except RecursionError:
        raise _mistake(name, "its brackets are nested too deeply", "fix the JSON") from None


def _yaml(name: str, text: str) -> Document:
    try:
        import yaml
    except ImportError:
        raise _mistake(name, "YAML cannot be read: PyYAML is not installed", NO_YAML) from None
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        found = Document(name)
        found.data = None if node is None else _Plain(yaml, found).of(node, ())
        return found
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        what = f"it is not valid YAML: {error.problem or error.context}"
        raise _mistake(where, what, "indent with two spaces, one 'key: value' per line") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = f"it is not valid YAML: {str(error) or type(error).__name__}"
        raise _mistake(name, " ".join(what.split()), "fix the file") from None


class _Plain:
    """Turns YAML's nodes into plain data."""

    def __init__(self, yaml: Any, document: Document) -> None:
        self._yaml, self._document = yaml, document
        self._construct = yaml.SafeLoader("").construct_object
        self._count = 0

    def of(self, node: Any, path: Path_) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise ValueError(f"it has more than {MOST_VALUES} values")
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, self._yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, self._yaml.SequenceNode):
            return [self.of(one, (*path, n)) for n, one in enumerate(node.value)]
        return self._construct(node, deep=True)

    def _mapping(self, node: Any, path: Path_) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            at = (*path, key)
            self._document.lines[at] = key_node.start_mark.line + 1
            if key in found:
                self._document.repeated.append(at)
            found[key] = self.of(value_node, at)
        return found


def _mistake(where: str, what: str, fix: str) -> Mistakes:
    return Mistakes([Mistake(where, what, fix)])
