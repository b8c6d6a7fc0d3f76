"""Opens a packed model of any version: checks every file, and finds models, labels and constants."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.tflite import roles
from stages.tflite.delegate_process import Process
from stages.tflite.model import Model, open_on

MANIFEST = "manifest.json"
_VERSION_1 = {"model.tflite", "labels.txt", "preprocessing.json"}


@dataclass(frozen=True)
class Package:
    """A packed model whose files are those that its manifest names."""

    folder: Path
    task: str
    models: "dict[str, dict[str, Path]]"  # role -> form -> file
    labels: "tuple[str, ...]"
    constants: "dict[str, Any]"
    process: Process = field(default_factory=Process)  # of the Edge TPU, for all roles

    def open_role(self, role: str, accelerator: str, runtime: str, threads: int = 1) -> Model:
        """Open a role's model on the accelerator if it can be used, else on the CPU."""
        if role not in self.models:
            raise StageError(f"the package has no model '{role}': pack it, or use another task")
        int8, compiled = roles.runnable(self.models[role])
        # A model without a twin has no business on the accelerator, which would only refuse it.
        wanted = accelerator if compiled else "none"
        return open_on(wanted, int8, compiled, runtime, threads, self.process)


def open_package(folder: Path) -> Package:
    """Return the package; StageError if a file is missing, changed or not named."""
    manifest = _manifest(folder)
    _check(folder, manifest["files"])
    if manifest.get("v", 1) == 1:
        return _version_1(folder, manifest["files"])
    models = {role: _forms(folder, role, entry) for role, entry in manifest["models"].items()}
    named = [path for forms in models.values() for path in forms.values()]
    _refuse_unnamed(folder, named, manifest["files"])
    return Package(
        folder, manifest["task"], models, _labels(folder), _json(folder / "constants.json")
    )


def _manifest(folder: Path) -> "dict[str, Any]":
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest.get("v", 1), dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StageError(
            f"{folder.name} is no packed model: it has no manifest.json that names its files"
        ) from None
    if version not in (1, 2):
        raise StageError(
            f"the package is of version {version}, and 1 and 2 can be opened: update this program"
        )
    if version == 1 and (absent := sorted(_VERSION_1 - set(files))):
        raise StageError(f"the package's manifest does not name {absent[0]}")
    return manifest


def _check(folder: Path, files: "dict[str, Any]") -> None:
    for name, entry in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise StageError(f"the package lacks {name}")
        expected = entry["sha256"] if isinstance(entry, dict) else entry
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise StageError(
                f"{name} of the package is not the file that its manifest names: pack the model again"
            )


def _forms(folder: Path, role: str, entry: "dict[str, Any]") -> "dict[str, Path]":
    found = {form: folder / entry[form] for form in roles.FORMS if form in entry}
    if not found:
        raise StageError(f"the package's manifest names no file for the model '{role}'")
    return found


def _refuse_unnamed(folder: Path, named: "list[Path]", files: "dict[str, Any]") -> None:
    """A model is run only if the manifest vouches for it."""
    for path in named:
        name = path.relative_to(folder).as_posix()
        if name not in files:
            raise StageError(f"the package's manifest does not name {name}")


def _version_1(folder: Path, files: "dict[str, Any]") -> Package:
    """Return a package as the program wrote it before roles: always an activity classifier."""
    models = {"model": {"int8": folder / "model.tflite"}}
    if "model_edgetpu.tflite" in files:
        models["model"]["edgetpu"] = folder / "model_edgetpu.tflite"
    if "pose_model.tflite" in files:
        models["pose"] = {"int8": folder / "pose_model.tflite"}
    elif (folder / "pose_model.tflite").exists():
        raise StageError("the package's manifest does not name pose_model.tflite")
    return Package(
        folder, "activity", models, _labels(folder), _json(folder / "preprocessing.json")
    )


def _labels(folder: Path) -> "tuple[str, ...]":
    path = folder / "labels.txt"
    return tuple(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()


def _json(path: Path) -> "dict[str, Any]":
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
