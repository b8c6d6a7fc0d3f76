"""Measures how well faces of the test part are verified, identified, and refused as strangers'."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.faces import Gallery

NOBODY = -1  # the person of a drawn face, which is a raw item only


class ScoreMetrics(TypedDict):
    """eer: the equal error rate of verification, over all pairs of test faces and the gallery's faces of
    the same people. rank1: share of test faces whose most similar person of the whole gallery is the right
    one, whatever the threshold. false_reject: share of test faces that are not named rightly at the packaged
    threshold. false_accept: share of test faces that are named after somebody else if their own person is
    taken out of the gallery, as if they were strangers'. All are 0 to 1; NAME_low and NAME_high are their
    95 % intervals by bootstrap over the people.

    float_eer, float_rank1: of the float model; rank1_drop is float minus int8, rank1_drop_beyond_one the
    same, but 0 if it comes from a single face; it has a gate. baseline_rank1 and baseline_eer compare the
    pixels of 16 x 16 grey thumbnails instead of embeddings; baseline_margin is rank1 minus the former.

    suspects are faces that are unlike the other ones of their person, among those of the gallery and of the
    test. rank1_build is rank1 on the build machine; outputs_differ, max_step_difference and
    reference_bit_equal are copied from `infer`. Without a test face, what needs one is missing.
    """

    eer: NotRequired[float]
    eer_low: NotRequired[float]
    eer_high: NotRequired[float]
    rank1: NotRequired[float]
    rank1_low: NotRequired[float]
    rank1_high: NotRequired[float]
    false_accept: NotRequired[float]
    false_accept_low: NotRequired[float]
    false_accept_high: NotRequired[float]
    false_reject: NotRequired[float]
    false_reject_low: NotRequired[float]
    false_reject_high: NotRequired[float]
    float_eer: NotRequired[float]
    float_rank1: NotRequired[float]
    rank1_drop: NotRequired[float]
    rank1_drop_beyond_one: NotRequired[float]
    rank1_build: NotRequired[float]
    baseline_eer: NotRequired[float]
    baseline_rank1: NotRequired[float]
    baseline_margin: NotRequired[float]
    suspects: float
    threshold: float
    people: float
    test_people: float
    test_faces: float
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In,
    outputs: In,
    reference: In,
    train: In,
    gallery: In,
    original: In,
    decision: In,
    report: Annotated[Out, Suffix(".json")],
    *,
    show_faces: bool = False,
) -> ScoreMetrics:
    """Compare the embeddings of the test part with the gallery and with one another.

    test, train:       the parts that stages.faces.people wrote
    outputs:           what `infer` wrote: the embedding of each test face
    reference:         what `reference` wrote: the same on the build machine, int8 and float
    gallery, original: what `enrol` wrote, with the int8 and with the float model
    decision:          what `enrol` wrote: the threshold
    report:            JSON: the metrics, where they were measured, the answers that `verify` expects for
                       the raw items, and sections of the model card; no picture and no embedding

    show_faces: true: the report and MLflow show the faces with wrong answers; false: no picture of a person

    The metrics are recorded as measured where `infer` ran. StageError: outputs for another number of faces.
    """
    import json

    import numpy as np

    from stages.faces import _report
    from stages.tflite import outputs as raw_outputs
    from stages.tflite import part

    truth = json.loads((test / "truth.json").read_text(encoding="utf-8"))
    people = np.load(test / "truth_person.npy")
    labels = truth["labels"]
    threshold = float(json.loads(decision.read_text(encoding="utf-8"))["threshold"])
    there = raw_outputs.read(outputs)
    runs = {"int8": there}
    runs |= {
        name: raw_outputs.read(reference / folder)
        for name, folder in (("build", "default"), ("float", "float"))
    }
    if runs["float"].about["model_sha256"] == runs["build"].about["model_sha256"]:
        del runs["float"]
    embeddings = {name: _embeddings(one.values(), len(people)) for name, one in runs.items()}
    measured_on(there.about["measured_on"])
    galleries = _galleries(gallery, original, train, len(labels))
    embeddings["pixels"] = _thumbnails(test)
    chosen = people != NOBODY
    compared = {
        name: _report.Compared(one[chosen], people[chosen], galleries[name], len(labels))
        for name, one in embeddings.items()
    }
    suspects = _suspected(train, truth, people, embeddings["int8"], galleries["int8"])
    metrics = _metrics(compared, threshold, len(suspects), there.about["difference"])
    if "eer" in metrics:
        _report.draw(compared, threshold, truth)
        if show_faces:
            pixels = part.read(test).tensors["picture"]
            _report.grid(pixels, compared["int8"], threshold, truth)
    else:
        note(
            "the model is unevaluated: fewer than two people have pictures that are neither enrolled nor "
            "validate. Add pictures of each person"
        )
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, embeddings["int8"], galleries["int8"], truth, threshold),
        "card": _report.card(metrics),
    }
    report.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return metrics


def _embeddings(values: "dict[str, NDArray[Any]]", count: int) -> "NDArray[np.float32]":
    """Return the embeddings (faces, d) of length 1."""
    from stages.evaluation import classifier
    from stages.tasks.head import unit_length

    return unit_length(classifier.only_output(values, count, "an embedder", "faces"))


def _galleries(
    gallery: "Path", original: "Path", train: "Path", people: int
) -> "dict[str, Gallery]":
    """Return the gallery of each run, and that of the baseline, which compares pixels."""
    import numpy as np

    from stages.tasks import faces

    int8 = faces.read(gallery, people)
    pixels = faces.Gallery(_thumbnails(train), np.load(train / "truth_person.npy"))
    return {
        "int8": int8,
        "build": int8,
        "float": faces.read(original, people),
        "pixels": pixels,
    }


def _thumbnails(folder: "Path") -> "NDArray[np.float32]":
    """Return a part's faces as unit vectors of grey values (faces, 256)."""
    import numpy as np

    from stages.media.duplicates import thumbnail
    from stages.tflite import part

    return np.stack([thumbnail(np.asarray(one)) for one in part.read(folder).tensors["picture"]])


def _suspected(
    train: "Path",
    truth: dict[str, Any],
    people: "NDArray[np.int64]",
    embeddings: "NDArray[np.float32]",
    gallery: "Gallery",
) -> list[str]:
    """Name the test faces and enrolled faces that are unlike the others of their person."""
    import json

    import numpy as np

    from stages.faces import _suspects

    enrolled = json.loads((train / "truth.json").read_text(encoding="utf-8"))["names"]
    packed = gallery.people[: len(gallery.people) - len(enrolled)]  # of a package that was extended
    enrolled = [f"{truth['labels'][at]}/(packed)" for at in packed] + enrolled
    chosen = np.flatnonzero(people != NOBODY)
    found = _suspects.find(
        np.concatenate([gallery.embeddings, embeddings[chosen]]),
        np.concatenate([gallery.people, people[chosen]]),
        enrolled + [truth["names"][at] for at in chosen],
    )
    _suspects.tell(found)
    return found


def _metrics(
    compared: "dict[str, Any]", threshold: float, suspects: int, difference: dict[str, Any]
) -> ScoreMetrics:
    from stages.faces import _report

    int8 = compared["int8"]
    found = ScoreMetrics(
        threshold=threshold,
        suspects=float(suspects),
        people=float(int8.similar.shape[1]),
        test_people=float(len(set(int8.people.tolist()))),
        test_faces=float(len(int8.people)),
        outputs_differ=float(difference["outputs_differ"]),
        max_step_difference=float(difference["max_step_difference"]),
        reference_bit_equal=float(difference["reference_bit_equal"]),
    )
    if len(int8.people) and int8.pairs.has_both:
        found |= _report.measured(compared, threshold)  # type: ignore[typeddict-item]
    return found


def _answers(
    test: "Path",
    embeddings: "NDArray[np.float32]",
    gallery: "Gallery",
    truth: dict[str, Any],
    threshold: float,
) -> list[dict[str, Any]]:
    """Return the rows that the packaged model must answer for each raw item."""
    from stages.tasks import faces
    from stages.tflite import part

    answers = []
    for item in part.items(test):
        similar = gallery.similarities(embeddings[item.first][None], len(truth["labels"]))[0]
        name, cosine = faces.decided(similar, truth["labels"], threshold)
        one = {"name": name, "score": cosine, "box": truth["boxes"][item.first]}
        answers.append({"file": item.path.name, "rows": faces.rows({"faces": [one]})})
    return answers
