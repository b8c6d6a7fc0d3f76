"""Takes a package apart, so that people can be added to it without the network's training."""

from typing import TYPE_CHECKING, TypedDict

from engine.stage import In, Out, StageError

if TYPE_CHECKING:
    from pathlib import Path


class UnpackMetrics(TypedDict):
    """The numbers of people and of embeddings in the package."""

    people: float
    embeddings: float


def unpack(packed: In, models: Out, people: Out) -> UnpackMetrics:
    """Check a package of face recognition, and copy its models and its people.

    packed:   the package
    models:   ROLE/int8.tflite and the other forms in the package: of the embedder, and of the detector if
              there is one
    people:   labels.txt, constants.json, gallery.npy float32 (n, d) and gallery_people.npy int64 (n,)

    StageError: a damaged package, or one for another task.
    """
    import json

    from stages.faces import _extension
    from stages.tasks import faces
    from stages.tasks.package import open_package

    found = open_package(packed)
    if found.task != "faces":
        raise StageError(
            f"assets.packed is a package for the task '{found.task}': give one of face recognition"
        )
    if faces.EMBEDDER not in found.models:
        raise StageError("assets.packed has no embedder: package the model again")
    found.number("threshold"), faces.input_of(found.constants)
    gallery = faces.read(found.data(faces.GALLERY, faces.PEOPLE), len(found.labels))
    for role, forms in found.models.items():
        _copy(forms, models / role)
    people.mkdir()
    gallery.write(people)
    names = "".join(f"{label}\n" for label in found.labels)
    (people / _extension.LABELS).write_text(names, encoding="utf-8")
    constants = json.dumps(found.constants, indent=1)
    (people / _extension.CONSTANTS).write_text(constants, encoding="utf-8")
    return UnpackMetrics(people=float(len(found.labels)), embeddings=float(len(gallery.people)))


def _copy(forms: "dict[str, Path]", folder: "Path") -> None:
    from stages.tflite import roles

    folder.mkdir(parents=True)
    for form, path in forms.items():
        roles.copy(form, path, folder)
