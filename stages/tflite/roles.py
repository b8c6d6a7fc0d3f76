"""The files of models by role: `models/<role>/{float,int8,edgetpu}.tflite`.

A role is the purpose of a model, such as `model`, `pose` or `detector`. A published model is one
`.tflite` file, or a folder that also has its twin for the Edge TPU.
"""

from pathlib import Path

from engine.stage import StageError

FORMS = ("float", "int8", "edgetpu")
FOR_CPU = {"float", "int8"}  # at least one of these always exists


def files(path: Path) -> "dict[str, Path]":
    """Return the files of one role by form; a single file is the int8 form."""
    if path.is_file():
        return {"int8": path}
    found = {form: path / f"{form}.tflite" for form in FORMS}
    there = {form: file for form, file in found.items() if file.is_file()}
    if not there.keys() & FOR_CPU:
        raise StageError(f"{path.name} contains no model: it needs int8.tflite or float.tflite")
    return there


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


def runnable(forms: "dict[str, Path]") -> "tuple[Path, Path | None]":
    """Return the file for the CPU, preferably int8, and the twin for the Edge TPU if there is one."""
    return forms.get("int8") or forms["float"], forms.get("edgetpu")
