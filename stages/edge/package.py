"""Packages models with everything that a device needs, and lists each file with its sha256."""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, StageError

if TYPE_CHECKING:
    from pathlib import Path

CARRIED = ("labels.txt", "constants.json")  # from the test part
LOADS = {  # the task declares which outputs its models must have; the accelerator, what the card says
    "task": "stages.tasks",
    "accelerator": "stages.accelerators",
}


class PackageMetrics(TypedDict):
    """The number of files in the package, and their size in bytes."""

    files: float
    size_bytes: float


def package(
    models: In,
    test: In,
    score: In,
    benchmark: In,
    package: Out,
    compiled: In | None = None,
    compiler_log: In | None = None,
    ready: In | None = None,
    constants: In | None = None,
    original: In | None = None,
    data: In | None = None,
    *,
    task: str,
    ready_role: str = "ready",
    name: str = "model",
    description: str = "",
    target: str = "",
    runtime: str = "litert",
    accelerator: str = "none",
) -> PackageMetrics:
    """Pack models/<role>/*, labels.txt, constants.json, card.md and manifest.json; data/ if given.

    models, compiled: <role>/{int8,float}.tflite and compiled forms; float is packed only if there is no
                      int8. A model compiled for an accelerator is packed together with the int8
                      one, so that a device without a working accelerator still has a model to run;
                      arrays.npz is packed as it is
    ready:            a published model, packed in the role `ready_role`: a .tflite, a folder with
                      int8.tflite and its compiled twin; `compiled` may have a twin that was made here
    test:             a part with constants.json, and labels.txt if there are labels
    constants:        JSON: what training found, such as a threshold; added to those of the test part
    original:         the model that was exported; the card names its file
    data:             a folder of further files that the task needs, packed as data/
    score, benchmark: their reports, for the card
    task:        the task of the packaged model: a module of stages/tasks
    ready_role:  the role of the published model
    name:        of the package, for card and manifest
    description: what the model does, for the card
    target:      the target's name, for card and manifest
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or the name of a file in stages/accelerators; for the card

    Nothing in the package depends on the time: the same inputs give the same bytes. StageError: a model
    does not have the outputs that the task needs, such as a classifier that is packed as a detector.
    """
    import json
    import shutil

    from stages.edge import _card

    found = _by_role(compiled or models, ready, ready_role)
    package.mkdir()
    packed = {role: _packed(forms, role, package) for role, forms in sorted(found.items())}
    for file in CARRIED:
        if (test / file).is_file():
            shutil.copyfile(test / file, package / file)
    if data:
        shutil.copytree(data, package / "data", copy_function=shutil.copyfile)
    _join_constants(package / "constants.json", constants)
    _check_outputs(task, packed, package)
    figures, cost, log = (_read(path) for path in (score, benchmark, compiler_log))
    manifest: dict[str, Any] = {
        "v": 2,
        "name": name,
        "task": task,
        "target": target,
        "runtime": runtime,
        "models": packed,
    }
    text = _card.card(
        manifest,
        description,
        original.name if original else "",
        figures or {},
        cost or {},
        _compiled(accelerator, log, packed),
        _read(package / "constants.json") or {},
    )
    (package / "card.md").write_text(text, encoding="utf-8")
    manifest["files"] = _manifest(package)
    (package / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    sizes = [path.stat().st_size for path in package.rglob("*") if path.is_file()]
    return PackageMetrics(files=float(len(sizes)), size_bytes=float(sum(sizes)))


def _read(path: "Path | None") -> "dict[str, Any] | None":
    """Return a JSON report; None for an omitted input."""
    import json

    return json.loads(path.read_text(encoding="utf-8")) if path else None


def _by_role(models: "Path", ready: "Path | None", ready_role: str) -> "dict[str, dict[str, Path]]":
    """Return the files of every role by form; those of the published model may lie in two places."""
    from stages.tflite import roles

    if not ready:
        return roles.by_role(models)
    folders = sorted(path for path in models.iterdir() if path.is_dir())
    found = {path.name: roles.files(path) for path in folders if path.name != ready_role}
    twins = roles.in_folder(models / ready_role)
    if twins.keys() & roles.FOR_CPU:
        raise StageError(f"two models have the role '{ready_role}': set another ready_role")
    found[ready_role] = {**roles.files(ready), **twins}
    return found


def _join_constants(path: "Path", more: "Path | None") -> None:
    """Write the package's constants: those of the test part, and those of another file if given."""
    import json

    if more is None and path.exists():
        return
    found = [
        json.loads(one.read_text(encoding="utf-8")) for one in (path, more) if one and one.exists()
    ]
    joined = {name: value for one in found for name, value in one.items()}
    path.write_text(json.dumps(joined, indent=1) + "\n", encoding="utf-8")


def _packed(forms: "dict[str, Path]", role: str, package: "Path") -> dict[str, Any]:
    """Copy a role's models, and return its entry in the manifest: files, inputs and outputs."""
    from stages.tflite import roles
    from stages.tflite.model import open_model

    folder = package / "models" / role
    folder.mkdir(parents=True)
    entry: dict[str, Any] = {}
    kept = {form: path for form, path in forms.items() if form != "float" or "int8" not in forms}
    for form, path in kept.items():
        roles.copy(form, path, folder)
        entry[form] = f"models/{role}/{roles.file_of(form)}"
    model = open_model(roles.runnable(forms)[0])
    for side, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        entry[side] = {name: tensor.as_json() for name, tensor in tensors.items()}
    return entry


def _compiled(
    accelerator: str, log: "dict[str, Any] | None", packed: "dict[str, Any]"
) -> "tuple[str, str] | None":
    """Return the accelerator's title, and what the card says of the models compiled for it."""
    from stages import accelerator as accelerators

    found = accelerators.of(accelerator)
    return (found.TITLE, found.card(log, packed)) if found and log is not None else None


def _check_outputs(task: str, packed: "dict[str, Any]", package: "Path") -> None:
    """Refuse models without the outputs that the task needs."""
    from stages.tasks import signature
    from stages.tflite.tensor import Tensor

    models = {
        role: {
            name: Tensor(name, tuple(about["shape"]), about["type"])
            for name, about in entry["outputs"].items()
        }
        for role, entry in packed.items()
    }
    labels, constants = package / "labels.txt", _read(package / "constants.json") or {}
    sizes = {}
    if labels.is_file():
        sizes["labels"] = len(labels.read_text(encoding="utf-8").splitlines())
    signature.check_task(task, models, constants, sizes)


def _manifest(folder: "Path") -> dict[str, dict[str, Any]]:
    import hashlib

    return {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
