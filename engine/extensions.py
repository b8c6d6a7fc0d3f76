"""Extensions, found by name: each file in a folder of engine/ is one, registered by its file name.

Nothing is imported before it is needed.
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
    """Return the module engine/<folder>/<name>.py; raise ModuleNotFoundError if there is none."""
    return importlib.import_module(f"engine.{folder}.{name}")
