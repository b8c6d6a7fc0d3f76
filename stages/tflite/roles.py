"""The files of models by role: `models/<role>/{float,int8}.tflite`, a compiled form, or `arrays.npz`.

A role is the purpose of a model, such as `model`, `pose` or `detector`. A published model is one
`.tflite` file, or a folder that also has its twin for an accelerator. `arrays.npz` is a fitted estimator,
such as a random forest, which numpy evaluates: stages/estimators.
"""

import shutil
from pathlib import Path

from engine.stage import StageError
from stages.tflite.compiled_forms import names, twins
from stages.tflite.schema import read_model

FOR_CPU = {"float", "int8", "arrays"}  # at least one of these always exists


def forms() -> "tuple[str, ...]":
    """Return the names of all forms; that of a compiled one is its accelerator's."""
    return ("float", "int8", *names(), "arrays")


def files(path: Path) -> "dict[str, Path]":
    """Return the files of one role by form; that of a single file is found by its content.

    StageError: there is no model for the CPU.
    """
    if path.is_file():
        return {_form(path): path}
    there = in_folder(path)
    if not there.keys() & FOR_CPU:
        raise StageError(f"{path.name} contains no model: it needs int8.tflite or float.tflite")
    return there


def in_folder(path: Path) -> "dict[str, Path]":
    """Return the files in the folder of a role by form, even if none of them is for the CPU."""
    found = {form: path / file_of(form) for form in forms()}
    return {form: file for form, file in found.items() if file.is_file()}


def file_of(form: str) -> str:
    """Return the name of a form's file."""
    if form in names():
        return twins()[form].FILE
    return "arrays.npz" if form == "arrays" else f"{form}.tflite"


def copy(form: str, path: Path, folder: Path) -> "list[Path]":
    """Copy a form's file to the folder of a role, with the files beside it; return the copies.

    The original may be read-only: the copies are not.
    """
    copied = [Path(shutil.copyfile(path, folder / file_of(form)))]
    for name in twins()[form].BESIDE if form in names() else ():
        if (beside := path.with_name(name)).is_file():
            copied.append(Path(shutil.copyfile(beside, folder / name)))
    return copied


def copy_all(models: Path, to: Path) -> "dict[str, dict[str, Path]]":
    """Copy the models of all roles to a folder; return the copies by role and form."""
    to.mkdir(parents=True, exist_ok=True)
    for role, forms in by_role(models).items():
        (to / role).mkdir()
        for form, path in forms.items():
            copy(form, path, to / role)
    return by_role(to)


def is_arrays(path: Path) -> bool:
    """Return whether the file is an estimator as arrays, by its content: a zip file."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def by_role(models: Path) -> "dict[str, dict[str, Path]]":
    """Return the files of every role in a folder of roles, ordered by name."""
    folders = sorted(path for path in models.iterdir() if path.is_dir())
    return {folder.name: files(folder) for folder in folders}


def of_role(models: Path, role: str) -> "dict[str, Path]":
    """Return the files of one role; raise StageError if the folder has no such role."""
    found = by_role(models)
    if role not in found:
        raise StageError(f"there is no model '{role}': the roles are {', '.join(found) or 'none'}")
    return found[role]


def runnable(forms: "dict[str, Path]", accelerator: str = "none") -> "tuple[Path, Path | None]":
    """Return the file for the CPU, int8 if there is one, and the accelerator's twin if there is one."""
    return forms.get("int8") or forms.get("float") or forms["arrays"], forms.get(accelerator)


def _form(path: Path) -> str:
    """Return the form of a file: int8 if it computes in 8 bits, whatever its inputs and outputs are."""
    for twin in twins().values():
        if twin.is_compiled(path):
            raise StageError(
                f"{path.name} is compiled for the {twin.TITLE}: give a folder with this file as "
                f"{twin.FILE} and the model that it was compiled from as int8.tflite"
            )
    graph = read_model(path).subgraphs[0]
    made = [graph.tensors[place] for one in graph.operators for place in one.outputs]
    is_int8 = any(tensor.type in ("INT8", "UINT8") and tensor.scales for tensor in made)
    return "int8" if is_int8 else "float"
