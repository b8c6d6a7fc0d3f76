"""Recognises trained models by content, not by name, role by role."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.stage import StageError
from stages.tflite import roles

Kind = Literal["architecture", "keras", "h5", "saved_model", "tflite", "published"]

FORMS = (
    "architecture.json with weights_*.npy, a SavedModel folder, a .keras, .h5 or .tflite file, or a "
    "folder with int8.tflite"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A trained model; the kind `published` is a folder of ready files by form."""

    kind: Kind
    path: Path

    @property
    def is_ready(self) -> bool:
        """Return whether it is already in a form that runs, so that it need not be converted."""
        return self.kind in ("tflite", "published")


def find(model: Path, role: str) -> dict[str, Source]:
    """Return the models by role: `model` itself with this role, or each entry of a folder with its own.

    StageError: there is none, or two have the same role.
    """
    kind = _kind(model)
    if kind:
        return {role: Source(kind, model)}
    found: dict[str, Source] = {}
    for entry in sorted(model.iterdir()) if model.is_dir() else []:
        if entry.name.startswith(".") or not (kind := _kind(entry)):
            continue
        own = entry.name if entry.is_dir() else entry.stem
        if own in found:
            raise StageError(
                f"{entry.name} and {found[own].path.name} have the same role: keep one"
            )
        found[own] = Source(kind, entry)
    if not found:
        raise StageError(f"{model.name} is not a model that can be quantised: {_wanted(model)}")
    return found


def _kind(path: Path) -> Kind | None:
    if path.is_file():
        return _kind_of_file(path)
    if (path / "architecture.json").is_file():
        return "architecture"
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    if any((path / roles.file_of(form)).is_file() for form in roles.forms()):
        return "published"
    return None


def _kind_of_file(path: Path) -> Kind | None:
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] == b"TFL3":
        return "tflite"
    if head.startswith(b"\x89HDF"):
        _refuse_bare_weights(path)
        return "h5"
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "keras" if "config.json" in archive.namelist() else None
    return None


def _refuse_bare_weights(path: Path) -> None:
    """Refuse an HDF5 file that contains only a network's weights."""
    import h5py

    try:
        with h5py.File(path) as file:
            is_whole = "model_config" in file.attrs
    except OSError as error:
        raise StageError(f"{path.name} is a damaged HDF5 file: {error}") from None
    if not is_whole:
        raise StageError(
            f"{path.name} contains weights without their network: save the whole model "
            "with model.save()"
        )


def _wanted(path: Path) -> str:
    if path.suffix.lower() == ".onnx":
        return (
            "ONNX cannot be converted here; save the model as a SavedModel in the framework "
            "that trained it"
        )
    return f"use {FORMS}; or a folder with one of these for each role"
