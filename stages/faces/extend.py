"""Adds the embeddings of further faces to the gallery of a package; trains nothing."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.suffix import Suffix
from stages.training.findings import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.faces import Gallery

SAME = 0.9999  # cosine of a face that is already in the gallery: the same picture
_NAMED = 8  # in a note


class ExtendMetrics(TypedDict):
    """The numbers of embeddings and people in the new gallery, of embeddings and people added to it, of
    faces that it already had, and of new people whose face resembles somebody else's in it.
    """

    embeddings: float
    people: float
    added: float
    new_people: float
    known: float
    alike: float


def extend(
    train: In,
    models: In,
    packed: In,
    gallery: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    role: str = "embedder",
) -> ExtendMetrics:
    """Embed the new faces with the package's model, and append them to its gallery.

    train:    the part that stages.faces.people writes: the faces to add
    models:   <role>/int8.tflite, of the package
    packed:   the people of the package, as stages.faces.unpack writes them
    gallery:  gallery.npy float32 (n, d), the package's embeddings, unchanged, and then the new ones, of
              length 1; gallery_people.npy int64 (n,)
    decision: JSON: the package's constants, among them its threshold

    role: of the model that makes embeddings

    New people whose face has at least the threshold's cosine with somebody else's are named in a note.
    StageError: all faces are already in the gallery.
    """
    import json

    import numpy as np

    from stages.faces import _embedded, _extension
    from stages.tasks import faces
    from stages.tflite import roles

    old = _extension.packed_people(packed)
    labels = (train / "labels.txt").read_text(encoding="utf-8").splitlines()
    kept = faces.read(packed, len(labels))
    int8 = roles.runnable(roles.of_role(models, role))[0]
    found = _embedded.gallery(train, int8, np.load(train / "truth_person.npy"))
    kept.require_width(found.embeddings)
    is_known = _is_known(kept, found)
    if is_known.all():
        raise StageError("the package already has all of these faces: add pictures to assets.enrol")
    added = faces.Gallery(found.embeddings[~is_known], found.people[~is_known])
    _tell_further([labels[at] for at in np.unique(added.people) if at < len(old.labels)])
    joined = faces.Gallery(
        np.concatenate([kept.embeddings, added.embeddings]),
        np.concatenate([kept.people, added.people]),
    )
    alike = _alike(added, joined, labels, len(old.labels), old.threshold)
    _tell_alike(alike)
    gallery.mkdir()
    joined.write(gallery)
    decision.write_text(json.dumps(old.constants, indent=1), encoding="utf-8")
    return ExtendMetrics(
        embeddings=float(len(joined.people)),
        people=float(len(np.unique(joined.people))),
        added=float(len(added.people)),
        new_people=float(len(labels) - len(old.labels)),
        known=float(is_known.sum()),
        alike=float(len(alike)),
    )


def _is_known(kept: "Gallery", found: "Gallery") -> "NDArray[np.bool_]":
    """Return which faces the package already has under the same name (faces,)."""
    is_own = found.people[:, None] == kept.people
    return ((found.embeddings @ kept.embeddings.T >= SAME) & is_own).any(1)  # type: ignore[no-any-return]


def _alike(
    added: "Gallery", joined: "Gallery", labels: "Sequence[str]", old: int, threshold: float
) -> list[str]:
    """Return both names and the cosine for each new person whose face would get somebody else's name.

    old: the number of people in the package, whose indices precede those of the new ones
    """
    from stages.faces import _rates

    found: dict[int, str] = {}
    others = joined.similarities(added.embeddings, len(labels))
    highest = _rates.strangers(others, added.people)
    for at, person in enumerate(added.people.tolist()):
        others[at, person] = -1
        if person >= old and highest[at] >= threshold:
            name = labels[int(others[at].argmax())]
            found.setdefault(person, f"{labels[person]}, {name} ({highest[at]:.3f})")
    return list(found.values())


def _tell_further(people: "Sequence[str]") -> None:
    if people:
        note(
            f"added further faces of people whom the package already had: {listed(people, _NAMED)}"
        )


def _tell_alike(found: "Sequence[str]") -> None:
    if found:
        note(
            "perhaps one person under two names, or two who will be confused: "
            f"{listed(found, _NAMED, '; ')}"
        )
