"""Runs the functions in a user's folder, and explains what fails in them with lines of the user's files.

Their code runs in the folder: modules beside it can be imported, and files read by relative paths.
"""

import importlib.util
import inspect
import linecache
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError

_SHOWN = 4  # lines of the user's files in a message


@contextmanager
def inside(folder: Path, seed: int) -> Iterator[None]:
    """Let code run as if it was started in the folder, with random numbers from this seed.

    StageError: the folder is gone.
    """
    if not folder.is_dir():
        raise StageError(
            f"the folder {folder.name} no longer exists: data.py and model.py must not move or remove it"
        )
    before, known = Path.cwd(), set(sys.modules)
    wrote, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)
        sys.dont_write_bytecode = wrote
        for name in set(sys.modules) - known:
            if _is_inside(getattr(sys.modules[name], "__file__", None), folder):
                del sys.modules[name]


def called(
    folder: Path, file: str, name: str, arguments: Mapping[str, Any], offered: Mapping[str, Any]
) -> Any:
    """Return what the function in the folder's file returns; call it within `inside`.

    offered: further arguments, for a function that names them
    StageError: the file or the function raised an exception.
    """
    with explained(folder, file):
        function = _function(folder / file, name)
        return function(**arguments, **_taken(function, offered))


@contextmanager
def explained(folder: Path, what: str) -> Iterator[None]:
    """Turn any exception of the user's code into a StageError that names lines of the user's files."""
    try:
        yield
    except StageError:
        raise
    except (Exception, SystemExit) as error:
        _log(error, folder)
        raise StageError(_explanation(error, folder, what)) from error


def _log(error: BaseException, folder: Path) -> None:
    """Print the traceback to the log, beginning at the user's files, or else below this one."""
    found = error.__traceback__
    while found and not _is_inside(found.tb_frame.f_code.co_filename, folder):
        found = found.tb_next
    below = error.__traceback__.tb_next if error.__traceback__ else None
    traceback.print_exception(type(error), error, found or below)


def _function(path: Path, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # model.py may import data.py, and classes know their module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise StageError(f"{path.name} has no function '{name}': write 'def {name}(...):'")
    found: Callable[..., Any] = function
    return found


def _taken(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the offered arguments that the function names."""
    try:
        named = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function written in C
        return {}
    return {name: value for name, value in offered.items() if name in named}


def _explanation(error: BaseException, folder: Path, what: str) -> str:
    said = getattr(error, "msg", "") if isinstance(error, SyntaxError) else str(error)
    if isinstance(error, SystemExit):
        said = "it ended the program"
    said = said.strip().partition("\n")[0].rstrip(".")
    lines = _lines(error, folder)
    place = f" ({lines[-1]})" if lines else ""
    callers = [line.partition(":")[0] for line in reversed(lines[-_SHOWN:-1])]
    called = f", called from {', '.join(callers)}" if callers else ""
    return f"{what} raised {type(error).__name__}: {said:.300}{place}{called}. {_fix(error)}"


def _lines(error: BaseException, folder: Path) -> list[str]:
    """Return the lines of the user's files that led to the error, the innermost one last."""
    frames = traceback.extract_tb(error.__traceback__)
    found = [
        f"{_inner(frame.filename, folder)}, line {frame.lineno}: {frame.line}"
        for frame in frames
        if _is_inside(frame.filename, folder)
    ]
    if isinstance(error, SyntaxError) and _is_inside(error.filename, folder):
        line = linecache.getline(str(error.filename), error.lineno or 0).strip()
        found.append(f"{_inner(str(error.filename), folder)}, line {error.lineno}: {line}")
    return found


def _fix(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"Install '{(error.name or '').partition('.')[0]}' in this program's environment; in a "
            "container, use only the packages of its image, or write executor=local"
        )
    if isinstance(error, PermissionError | OSError) and "ead-only" in str(error):
        return "The folder cannot be changed during a run: write to tempfile.mkdtemp() instead"
    if isinstance(error, FileNotFoundError):
        return "Relative paths start in the folder of data.py: put the file there, and run again"
    if "NaN" in str(error):
        return (
            "Replace missing values in get_data(), or begin the pipeline with SimpleImputer(): "
            "make_pipeline(SimpleImputer(), ...)"
        )
    return "Correct it, and run the same command again"


def _is_inside(path: str | None, folder: Path) -> bool:
    if not path or path.startswith("<"):  # such as <frozen importlib._bootstrap>
        return False
    return Path(path).resolve().is_relative_to(folder.resolve())


def _inner(path: str, folder: Path) -> str:
    return Path(path).resolve().relative_to(folder.resolve()).as_posix()
