"""Computes the embeddings of the gallery, and calibrates the threshold below which a face is unknown."""

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.faces import Gallery

FEWEST = 20  # faces that calibrate a threshold


class EnrolMetrics(TypedDict):
    """Numbers of embeddings and people in the gallery, the threshold, the faces of the gallery and of
    validation that it was calibrated on (0: the default is used), and faces that are unlike the other ones
    of their person, among those of the gallery and of validation.
    """

    embeddings: float
    people: float
    threshold: float
    calibrated_on: float
    suspects: float


def enrol(
    train: In,
    models: In,
    face: In,
    gallery: Out,
    original: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    role: str = "embedder",
    false_accept: Annotated[float, Range(gt=0, lt=1)] = 0.01,
    threshold: Annotated[float, Range(gt=0, lt=1)] | None = None,
    liveness: Literal["none", "turn"] = "none",
) -> EnrolMetrics:
    """Embed the faces of the gallery with the int8 model, and choose the threshold by validation.

    train:    the part that stages.faces.people writes
    models:   <role>/int8.tflite and float.tflite
    face:     what `embedder` wrote: the threshold of the network
    gallery:  gallery.npy float32 (n, d), embeddings of length 1, and gallery_people.npy int64 (n,)
    original: the same with the float model, to compare with
    decision: JSON: threshold, how it was chosen, and liveness

    role:         of the model that makes embeddings
    false_accept: share of strangers' faces that may be named. Each face of the gallery and of validation is
                  compared with the gallery without its own person, as if it were a stranger's
    threshold:    the cosine to use if fewer than 20 faces can calibrate it; null: the network's own
    liveness:     turn: the packed task also tells whether the head has turned (stages.tasks.liveness)

    StageError: too few faces, and no threshold is known for the network.

    No picture is written. Embeddings are personal data all the same: they tell people apart.
    """
    import json

    import numpy as np

    from stages.faces import _embedded, _rates, _suspects
    from stages.tflite import roles

    forms = roles.of_role(models, role)
    int8 = roles.runnable(forms)[0]
    people = np.load(train / "truth_person.npy")
    enrolled = _embedded.gallery(train, int8, people)
    for folder, found in (
        (gallery, enrolled),
        (original, _embedded.gallery(train, forms.get("float", int8), people)),
    ):
        folder.mkdir()
        found.write(folder)
    held = _validation(train, int8)
    highest, own = _compared(enrolled, held)
    calibrated_on = len(highest) if len(highest) >= FEWEST else 0
    if calibrated_on:
        chosen = _rates.threshold(highest, false_accept, own)
    else:
        chosen = threshold or _known(face, len(highest))
    _explain(chosen, len(highest), calibrated_on > 0)
    suspects = _suspected(train, enrolled, held) if held else []
    _suspects.tell(suspects)
    about = {"threshold": chosen, "calibrated_on": calibrated_on, "liveness": liveness}
    decision.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return EnrolMetrics(
        embeddings=float(len(people)),
        people=float(len(np.unique(people))),
        threshold=chosen,
        calibrated_on=float(calibrated_on),
        suspects=float(len(suspects)),
    )


def _validation(train: "Path", model: "Path") -> "Gallery | None":
    import numpy as np

    from stages.faces import _embedded

    folder = train / "validation"
    if not folder.is_dir():
        return None
    return _embedded.gallery(folder, model, np.load(folder / "truth_person.npy"))


def _compared(
    enrolled: "Gallery", held: "Gallery | None"
) -> "tuple[NDArray[np.float32], NDArray[np.float32]]":
    """Return the highest cosine of each face with other people, of the gallery's and the validation faces,
    and the cosine of each validation face with its own person.
    """
    import numpy as np

    from stages.faces import _rates

    count = int(enrolled.people.max()) + 1
    similar = enrolled.similarities(enrolled.embeddings, count)
    highest = _rates.strangers(similar, enrolled.people)
    if not held:
        return highest, np.zeros(0, np.float32)
    similar = enrolled.similarities(held.embeddings, count)
    others = _rates.strangers(similar, held.people)
    return np.concatenate([highest, others]), similar[np.arange(len(held.people)), held.people]


def _suspected(train: "Path", enrolled: "Gallery", held: "Gallery") -> list[str]:
    import numpy as np

    from stages.faces import _suspects

    return _suspects.find(
        np.concatenate([enrolled.embeddings, held.embeddings]),
        np.concatenate([enrolled.people, held.people]),
        _names(train) + _names(train / "validation"),
    )


def _known(face: "Path", faces: int) -> float:
    """Return the threshold that comes with the network."""
    import json

    found = json.loads(face.read_text(encoding="utf-8"))["threshold"]
    if found is None:
        raise StageError(
            f"{faces} faces are too few to calibrate the threshold, and none is known for this embedder: add "
            "pictures of more people, or set params.threshold to a cosine between 0 and 1"
        )
    return float(found)


def _names(folder: "Path") -> list[str]:
    import json

    names: list[str] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["names"]
    return names


def _explain(threshold: float, faces: int, is_calibrated: bool) -> None:
    if is_calibrated:
        note(f"faces with a cosine below {threshold:.3f} are unknown (calibrated on {faces} faces)")
    else:
        note(
            f"{faces} faces are too few to calibrate the threshold: using {threshold:.3f}. Add pictures of "
            "more people"
        )
