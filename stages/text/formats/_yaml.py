"""Parses YAML for the readers: each value is a text that knows its line, so `yes` and `1.0` stay texts."""

from pathlib import Path
from typing import Any

import yaml

from engine.stage import StageError
from stages.text.formats._encoding import whole
from stages.text.formats._files import Files


class Text(str):
    """A value; `line` is that of its first line, or of the | before it."""

    line: int
    is_block: bool


class _Loader(yaml.BaseLoader):
    """Makes only texts, lists and objects."""

    def construct_scalar(self, node: yaml.ScalarNode) -> Text:
        text = Text(whole(super().construct_scalar(node)))
        text.line, text.is_block = node.start_mark.line + 1, node.style in ("|", ">")
        return text


def parsed(files: Files, path: Path) -> Any:
    """Return a file's data; StageError: it is not YAML."""
    name = files.name(path)
    try:
        return yaml.load(files.text(path), _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise StageError(
            f"{name}{where}: {error.problem or error.context}: check the indentation, and put a text with "
            "a colon or a bracket into quotes"
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise StageError(f"{name} cannot be read as YAML: {str(error).splitlines()[0]}") from None
