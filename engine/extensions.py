"""Extensions, found by name: each file of a folder in engine/ is one, and its name registers it.

Nothing is imported before it is asked for.
"""

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

_ENGINE = Path(__file__).parent


@cache
def names(folder: str) -> tuple[str, ...]:
    """Return the names of the extensions in engine/<folder>/, sorted."""
    return tuple(sorted(path.stem for path in (_ENGINE / folder).glob("[a-z]*.py")))


def module(folder: str, name: str) -> ModuleType:
    """Return the module engine/<folder>/<name>.py; ModuleNotFoundError if there is none."""
    return importlib.import_module(f"engine.{folder}.{name}")
