"""The compiled forms of models, each of which only one kind of accelerator can run.

A form has the accelerator's name; the accelerator's module in stages/accelerators, found by its file,
says which file of a role it is.
"""

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Dict, Protocol, Tuple, cast

PACKAGE = "stages.accelerators"
_FOLDER = Path(__file__).resolve().parent.parent / "accelerators"


class Twin(Protocol):
    """What the files of models need to know of an accelerator; see stages/accelerator.py."""

    TITLE: str  # what users call it
    FILE: str  # the compiled model's file in the folder of its role
    BESIDE: Tuple[str, ...]  # further files of the same form in that folder
    VERSION_1_FILE: "str | None"  # its file in packages of version 1; None: there were none

    @staticmethod
    def is_compiled(path: Path) -> bool:
        """Return whether the file is a model that the accelerator's compiler has made."""


@lru_cache(maxsize=None)
def names() -> Tuple[str, ...]:
    """Return the names of the compiled forms, which are those of the accelerators' files."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("[a-z]*.py")))


@lru_cache(maxsize=None)
def twins() -> "Dict[str, Twin]":
    """Return the compiled forms by name."""
    return {name: cast(Twin, importlib.import_module(f"{PACKAGE}.{name}")) for name in names()}
