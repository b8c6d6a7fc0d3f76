"""Mistakes in the Python files of a user's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import defined
from engine.contract import Contract
from tests.messages.rows import Subject, Told, told

CONTRACT = Contract(
    label="stages.x.train",
    defines={"code": {"model.py:model": ["shape"]}},
    keywords={"arguments": ["code", "model.py:model"]},
)
PLAIN = Contract(label="stages.x.read", defines={"code": {"model.py:model": ["shape"]}})

# cause: the source of model.py (None: no such file) and the arguments (None: the stage has no parameter
# for them)
ROWS = {
    "no_file": ((None, {}), "{here}/model.py", "no such file", "model.py"),
    "no_function": (("def modell(): ...", {}), "{here}/model.py", "'model'", "modell"),
    "syntax": (("x = 1\ndef model(:\n", {}), "{here}/model.py, line 2", "invalid", "correct it"),
    "no_text": ((b"x = '\xff'", {}), "{here}/model.py", "Python", "UTF-8"),
    "asynchronous": (
        ("async def model(): ...", {}),
        "{here}/model.py, line 1",
        "asynchronous",
        "def model",
    ),
    "by_place": (("def model(a, /): ...", {}), "{here}/model.py, line 1", "'a'", "remove the /"),
    "needed": (
        ("def model(shape, a): ...", {}),
        "u.yaml: stages.s.params.arguments.a",
        "line 1",
        "default",
    ),
    "needed_and_not_settable": (
        ("def model(*, a): ...", None),
        "{here}/model.py, line 1",
        "'a'",
        "default",
    ),
    "unknown": (
        ("def model(shape, units=1): ...", {"unit": 2}),
        "u.yaml: stages.s.params.arguments.unit",
        "'unit'",
        "'units'",
    ),
    "own": (
        ("def model(shape): ...", {"shape": 2}),
        "u.yaml: stages.s.params.arguments.shape",
        "'shape'",
        "remove",
    ),
    "type": (
        ("def model(units: int = 1): ...", {"units": "many"}),
        "u.yaml: stages.s.params.arguments.units",
        "'many'",
        "int",
    ),
}


def provoke(cause: tuple[str | bytes | None, Mapping[str, Any] | None], folder: Path) -> list[Told]:
    """Return the mistakes of a folder with this model.py."""
    source, arguments = cause
    if source is not None:
        (folder / "model.py").write_bytes(source if isinstance(source, bytes) else source.encode())
    contract = PLAIN if arguments is None else CONTRACT
    params = {"arguments": arguments}
    found = list(defined.mistakes(contract, "code", folder, params, "u.yaml: stages.s"))
    return told(ExceptionGroup("mistakes", found), folder)


def provoke_path(name: str, folder: Path) -> list[Told]:
    """Return the mistakes of a path that is not a folder."""
    (folder / name).write_text("")
    found = list(defined.mistakes(CONTRACT, "code", folder / name, {}, "u.yaml: stages.s"))
    return told(ExceptionGroup("mistakes", found), folder)


def provoke_folder(name: str, folder: Path) -> list[Told]:
    """Return the mistakes of a folder in which this is a folder, too."""
    (folder / name).mkdir()
    found = list(defined.mistakes(PLAIN, "code", folder, {}, "u.yaml: stages.s"))
    return told(ExceptionGroup("mistakes", found), folder)


PATHS = {
    "python_file": ("model.py", "{here}/model.py", "folder", "that contains it"),
    "other_file": ("model.txt", "{here}/model.txt", "folder", "with model.py"),
}
FOLDERS = {"not_a_file": ("model.py", "{here}/model.py", "it is a folder", "rename the folder")}
SUBJECTS = {
    "function": Subject(ROWS, provoke),
    "folder": Subject(PATHS, provoke_path),
    "folder_in_it": Subject(FOLDERS, provoke_folder),
}
