"""Computes the embeddings of the gallery, and calibrates the threshold below which a face is unknown."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

FEWEST = 20  # faces that calibrate a threshold


class EnrolMetrics(TypedDict):
    """Numbers of embeddings and people in the gallery, the threshold, the validation faces that it was
    calibrated on (0: the default is used), and faces that are unlike the other ones of their person, among
    those of the gallery and of validation.
    """

    embeddings: float
    people: float
    threshold: float
    calibrated_on: float
    suspects: float


def enrol(
    train: In,
    models: In,
    gallery: Out,
    original: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    role: str = "embedder",
    false_accept: Annotated[float, Range(gt=0, lt=1)] = 0.01,
    threshold: Annotated[float, Range(gt=0, lt=1)] = 0.945,
) -> EnrolMetrics:
    """Embed the faces of the gallery with the int8 model, and choose the threshold by validation.

    train:    the part that stages.faces.people writes
    models:   <role>/int8.tflite and float.tflite
    gallery:  gallery.npy float32 (n, d), embeddings of length 1, and gallery_people.npy int64 (n,)
    original: the same with the float model, to compare with
    decision: JSON: threshold, and how it was chosen

    role:         of the model that makes embeddings
    false_accept: share of strangers' faces that may be named. Each validation face is compared with the
                  gallery without its own person, as if it were a stranger's
    threshold:    the cosine to use if fewer than 20 validation faces can calibrate it

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
    highest, suspects = np.zeros(0, np.float32), []
    if (train / "validation").is_dir():
        held = _embedded.gallery(
            train / "validation", int8, np.load(train / "validation/truth_person.npy")
        )
        similar = enrolled.similarities(held.embeddings, int(people.max()) + 1)
        highest = _rates.strangers(similar, held.people)
        suspects = _suspects.find(
            np.concatenate([enrolled.embeddings, held.embeddings]),
            np.concatenate([people, held.people]),
            _names(train) + _names(train / "validation"),
        )
    is_calibrated = len(highest) >= FEWEST
    chosen = _rates.threshold(highest, false_accept) if is_calibrated else threshold
    _explain(chosen, len(highest), is_calibrated)
    _suspects.tell(suspects)
    about = {"threshold": chosen, "calibrated_on": len(highest) if is_calibrated else 0}
    decision.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return EnrolMetrics(
        embeddings=float(len(people)),
        people=float(len(np.unique(people))),
        threshold=chosen,
        calibrated_on=float(about["calibrated_on"]),
        suspects=float(len(suspects)),
    )


def _names(folder: "Path") -> list[str]:
    import json

    names: list[str] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["names"]
    return names


def _explain(threshold: float, faces: int, is_calibrated: bool) -> None:
    if is_calibrated:
        note(
            f"faces with a cosine below {threshold:.3f} are unknown (from {faces} validation faces)"
        )
    else:
        note(
            f"{faces} validation faces are too few to calibrate the threshold: using params.threshold, "
            f"{threshold:.3f}. Add pictures of more people, or set params.val_share"
        )
