"""Keeps a fine-tuned embedder only if it is better than the original one on people that it did not see."""

from typing import TYPE_CHECKING, NotRequired, TypedDict

from engine.stage import In, Out, note

if TYPE_CHECKING:
    from pathlib import Path


class ChooseMetrics(TypedDict):
    """The equal error rates of verification of both int8 models on the validation people, 0 to 1, which are
    missing if too few people validate; and whether the fine-tuned one is kept (1) or not (0).
    """

    original_eer: NotRequired[float]
    tuned_eer: NotRequired[float]
    is_tuned: float


def choose(
    original: In, tuned: In, train: In, models: Out, *, role: str = "embedder"
) -> ChooseMetrics:
    """Compare two int8 embedders on the people who validate, and copy the better one.

    original, tuned: <role>/int8.tflite and float.tflite of the published and of the fine-tuned network
    train:           the part that stages.faces.people writes; its part validation/ is compared
    models:          the files of the tuned network if its equal error rate is lower, otherwise the original

    role: of the model that makes embeddings

    The original is kept if both are equally good, or if fewer than two people validate.
    """
    import shutil

    errors = [_error(train, folder, role) for folder in (original, tuned)]
    if None in errors:
        shutil.copytree(original, models)
        note(
            "the published embedder is kept: fewer than two people validate, so that nobody knows whether "
            "the fine-tuned one is better. Add people with at least two pictures, or increase "
            "params.val_share"
        )
        return ChooseMetrics(is_tuned=0.0)
    before, after = (one for one in errors if one is not None)
    is_tuned = after < before
    shutil.copytree(tuned if is_tuned else original, models)
    what = "the fine-tuned embedder is kept"
    if not is_tuned:
        what = "the published embedder is kept: the fine-tuned one is not better"
    rates = f"{after:.2%}, published: {before:.2%}"
    note(f"{what} (equal error rate on people that it did not see: {rates})")
    return ChooseMetrics(original_eer=before, tuned_eer=after, is_tuned=float(is_tuned))


def _error(train: "Path", models: "Path", role: str) -> float | None:
    """Return the equal error rate on the validation faces and the same people's faces in the gallery.

    None: too few of them, so that no two faces are of one person, or none of two people.
    """
    import numpy as np

    from stages.faces import _embedded, _rates
    from stages.tflite import roles

    held = train / "validation"
    if not held.is_dir():
        return None
    model = roles.runnable(roles.of_role(models, role))[0]
    found = [
        _embedded.gallery(folder, model, np.load(folder / "truth_person.npy"))
        for folder in (held, train)
    ]
    is_held = np.isin(found[1].people, found[0].people)
    embeddings = np.concatenate([found[0].embeddings, found[1].embeddings[is_held]])
    people = np.concatenate([found[0].people, found[1].people[is_held]])
    pairs = _rates.Pairs(embeddings, people)
    return pairs.equal_error() if pairs.has_both else None
