"""Opens a packaged model of any version: verifies every file, and finds models, labels and constants."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.accelerator import Session, open_on
from stages.tflite import roles
from stages.tflite.compiled_forms import twins
from stages.tflite.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANIFEST = "manifest.json"
_VERSION_1 = {"model.tflite", "labels.txt", "preprocessing.json"}


@dataclass(frozen=True)
class Package:
    """A packaged model whose files match its manifest."""

    folder: Path
    task: str
    models: "dict[str, dict[str, Path]]"  # role -> form -> file
    labels: "tuple[str, ...]"
    constants: "dict[str, Any]"
    named: "frozenset[str]" = frozenset()  # the files that the manifest lists
    session: Session = field(default_factory=dict)  # what an accelerator shares between all roles
    threads: int = 1  # of a model on the CPU

    def open_role(
        self, role: str, accelerator: str, runtime: str, threads: "int | None" = None
    ) -> Model:
        """Open a role's model on the accelerator if it is usable, otherwise on the CPU.

        threads: of the CPU, if not those of the package.
        """
        if role not in self.models:
            raise StageError(
                f"the package has no model '{role}': add it to the package, or use another task"
            )
        int8, compiled = roles.runnable(self.models[role], accelerator)
        # The accelerator would refuse a model without a twin.
        wanted = accelerator if compiled else "none"
        return open_on(wanted, int8, compiled, runtime, threads or self.threads, self.session)

    def data(self, *names: str) -> Path:
        """Return the folder data/, which has the files of these names; StageError: it lacks one."""
        for name in names:
            if f"data/{name}" not in self.named:
                raise StageError(f"the package has no data/{name}: package the model again")
        return self.folder / "data"

    def number(self, name: str, *within: str) -> float:
        """Return a numeric constant inside the objects `within`; StageError: it is not a number."""
        found: Any = self.constants
        for key in (*within, name):
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not isfinite(found):
            raise StageError(
                f"the package's constants have no number '{name}': package the model again"
            )
        return found


def read_array(path: Path) -> "NDArray[Any]":
    """Return the array of a packed .npy file; StageError: it is damaged."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError):
        found = None
    if not isinstance(found, np.ndarray):  # np.load also opens archives of arrays
        raise StageError(f"{path.name} of the package is damaged: package the model again")
    return found


def open_package(folder: Path) -> Package:
    """Return the package; raise StageError if a file is missing, changed or not in the manifest."""
    manifest = _manifest(folder)
    files = _digests(manifest["files"])
    _check(folder, files)
    if manifest.get("v", 1) == 1:
        return _version_1(folder, files)
    task, models = manifest.get("task"), manifest.get("models")
    if not isinstance(task, str) or not isinstance(models, dict):
        raise _damaged("it has no task, or no models")
    found = {role: _forms(folder, role, entry) for role, entry in models.items()}
    for forms in found.values():
        for path in forms.values():
            _refuse_unnamed(folder, path, files)
    return Package(
        folder,
        task,
        found,
        _labels(folder, files),
        _constants(folder, "constants.json", files),
        frozenset(files),
    )


def _manifest(folder: Path) -> "dict[str, Any]":
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest.get("v", 1), dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StageError(
            f"{folder.name} is not a packaged model: it has no manifest.json that lists its files"
        ) from None
    if version not in (1, 2):
        raise StageError(
            f"the package has version {version}, but only 1 and 2 can be opened: update "
            "this program"
        )
    if version == 1 and (absent := sorted(_VERSION_1 - set(files))):
        raise _unlisted(absent[0])
    return {**manifest, "files": files}


def _digests(files: "dict[str, Any]") -> "dict[str, str]":
    """Return the sha256 of each file; a manifest has it alone or together with the size."""
    found = {
        name: entry.get("sha256") if isinstance(entry, dict) else entry
        for name, entry in files.items()
    }
    if without := next((name for name in found if not isinstance(found[name], str)), None):
        raise _damaged(f"it has no sha256 of {without}")
    return found


def _check(folder: Path, files: "dict[str, str]") -> None:
    for name, expected in files.items():
        if not _is_file_of(folder, name):
            raise StageError(f"the package lacks {name}: copy it again, or package the model again")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise StageError(
                f"{name} of the package does not match its checksum in manifest.json: copy the package "
                "again, or package the model again"
            )


def _is_file_of(folder: Path, name: str) -> bool:
    path = folder / name
    try:
        return path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, RuntimeError, ValueError):  # a cycle of links, or an invalid character
        return False


def _forms(folder: Path, role: str, entry: Any) -> "dict[str, Path]":
    named = entry if isinstance(entry, dict) else {}
    forms = {form: named[form] for form in roles.forms() if isinstance(named.get(form), str)}
    if not forms.keys() & roles.FOR_CPU:
        raise StageError(
            f"the package's manifest names no file for the model '{role}': package the model again"
        )
    return {form: folder / name for form, name in forms.items()}


def _refuse_unnamed(folder: Path, path: Path, files: "dict[str, str]") -> None:
    """Refuse a file that is not in the manifest."""
    if not any(folder / name == path for name in files):
        raise _unlisted(os.path.relpath(path, folder))


def _version_1(folder: Path, files: "dict[str, str]") -> Package:
    """Return a package of version 1, before there were roles: always an activity classifier."""
    models = {"model": {"int8": folder / "model.tflite"}}
    for form, twin in twins().items():
        if twin.VERSION_1_FILE and twin.VERSION_1_FILE in files:
            models["model"][form] = folder / twin.VERSION_1_FILE
    if (folder / "pose_model.tflite").exists():
        models["pose"] = {"int8": folder / "pose_model.tflite"}
        _refuse_unnamed(folder, models["pose"]["int8"], files)
    constants = _constants(folder, "preprocessing.json", files)
    return Package(folder, "activity", models, _labels(folder, files), constants)


def _labels(folder: Path, files: "dict[str, str]") -> "tuple[str, ...]":
    path = folder / "labels.txt"
    if not path.is_file():
        return ()
    _refuse_unnamed(folder, path, files)
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except ValueError:
        raise StageError(
            "labels.txt of the package is not UTF-8: package the model again"
        ) from None


def _constants(folder: Path, name: str, files: "dict[str, str]") -> "dict[str, Any]":
    _refuse_unnamed(folder, folder / name, files)
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StageError(f"{name} of the package is not a JSON object: package the model again")
    return found


def _unlisted(name: str) -> StageError:
    return StageError(f"the package's manifest does not name {name}: package the model again")


def _damaged(why: str) -> StageError:
    return StageError(f"the package's manifest is damaged: {why}; package the model again")
