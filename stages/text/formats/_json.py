"""Parses JSON for the readers, with errors that name the line; CLINC150 and intents.json are both JSON."""

import json
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.text.formats._encoding import whole
from stages.text.formats._files import Files

_HINTS = {
    "Expecting property name": "remove the comma before }, or put the name into double quotes",
    "Expecting value": "remove the comma before ], or write the missing value",
    "Expecting ',' delimiter": 'add the missing comma, or escape a quotation mark inside a text as \\"',
    "Invalid control character": "write a line break inside a text as \\n",
    "Extra data": 'put everything into one object: {"intents": [...]}',
}


def parsed(files: Files, path: Path) -> Any:
    """Return a file's data; StageError: it is not JSON."""
    name, text = files.name(path), files.text(path)
    if not text.strip():
        raise StageError(f"{name}: the file is empty")
    try:
        return _whole(json.loads(text))
    except json.JSONDecodeError as error:
        hint = next(
            (text for key, text in _HINTS.items() if error.msg.startswith(key)), "correct it"
        )
        raise StageError(
            f"{name}, line {error.lineno}, column {error.colno}: {error.msg}: {hint}"
        ) from None
    except (ValueError, RecursionError):
        raise StageError(f"{name} is nested too deeply, or has a number too long to read") from None


def _whole(data: Any) -> Any:
    """Return the data with whole characters in its texts: "\\ud83d" alone is none."""
    if isinstance(data, str):
        return whole(data)
    if isinstance(data, list):
        return [_whole(one) for one in data]
    if isinstance(data, dict):
        return {whole(name): _whole(value) for name, value in data.items()}
    return data
