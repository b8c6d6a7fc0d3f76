"""Keeps a fine-tuned embedder only if it is better than the original one on people that it did not see."""

from typing import TYPE_CHECKING, TypedDict

from engine.stage import In, Out, note

if TYPE_CHECKING:
    from pathlib import Path


class ChooseMetrics(TypedDict):
    """The equal error rates of verification of both int8 models on the validation people, 0 to 1, and
    whether the fine-tuned one is kept (1) or not (0).
    """

    original_eer: float
    tuned_eer: float
    is_tuned: float


def choose(
    original: In, tuned: In, train: In, models: Out, *, role: str = "embedder"
) -> ChooseMetrics:
    """Compare two int8 embedders on the people who validate, and copy the better one.

    original, tuned: <role>/int8.tflite and float.tflite of the published and of the fine-tuned network
    train:           the part that stages.faces.people writes; its part validation/ is compared
    models:          the files of the tuned network if its equal error rate is lower, otherwise the original

    role: of the model that makes embeddings

    Without validation people, or if both are equally good, the original is kept.
    """
    import shutil

    errors = [_error(train, folder, role) for folder in (original, tuned)]
    is_tuned = errors[1] < errors[0]
    shutil.copytree(tuned if is_tuned else original, models)
    what = "the fine-tuned embedder is kept"
    if not is_tuned:
        what = "the published embedder is kept: the fine-tuned one is not better"
    rates = f"{errors[1]:.2%}, published: {errors[0]:.2%}"
    note(f"{what} (equal error rate on people that it did not see: {rates})")
    return ChooseMetrics(original_eer=errors[0], tuned_eer=errors[1], is_tuned=float(is_tuned))


def _error(train: "Path", models: "Path", role: str) -> float:
    """Return the equal error rate on the validation faces and the same people's faces in the gallery."""
    import numpy as np

    from stages.faces import _embedded, _rates
    from stages.tflite import roles

    held = train / "validation"
    if not held.is_dir():
        return 0.0
    model = roles.runnable(roles.of_role(models, role))[0]
    found = [
        _embedded.gallery(folder, model, np.load(folder / "truth_person.npy"))
        for folder in (held, train)
    ]
    is_held = np.isin(found[1].people, found[0].people)
    embeddings = np.concatenate([found[0].embeddings, found[1].embeddings[is_held]])
    people = np.concatenate([found[0].people, found[1].people[is_held]])
    pairs = _rates.Pairs(embeddings, people)
    return pairs.equal_error() if pairs.has_both else 0.0
