"""Compares the classifier's outputs with the ground truth of the test part, clip by clip."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.figures import confusion_matrix
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.pose._truth import Truth


class ScoreMetrics(TypedDict):
    """accuracy, f1_macro (over the classes in the test part) and correct are those of the int8 model on
    the target; accuracy_drop is float minus int8; shares are 0 to 1.
    accuracy_drop_beyond_one is the same, but 0 if only one test example is lost; it has a gate.
    accuracy_low, accuracy_high: its 95 % interval by bootstrap over people, or over clips if few people
    are known.
    baseline_margin is accuracy minus majority_baseline, the share of the most frequent class;
    untested_classes counts the training classes without a test clip; both have gates.
    nothing_seen counts test clips in which the pose model sees nobody: they count as wrong.
    accuracy_build is measured on the build machine; accuracy_delta is the target's accuracy minus it.
    outputs_differ, max_step_difference and reference_bit_equal are copied from `infer`.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    float_accuracy: float
    accuracy_drop: float
    accuracy_drop_beyond_one: float
    f1_macro: float
    correct: float
    test_examples: float
    majority_baseline: float
    baseline_margin: float
    untested_classes: float
    nothing_seen: float
    accuracy_build: float
    accuracy_delta: float
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In, outputs: In, reference: In, report: Annotated[Out, Suffix(".json")]
) -> ScoreMetrics:
    """Compare outputs with the ground truth; the examples of a clip count as one.

    test:      the test part of stages.pose.dataset
    outputs:   outputs of `infer`: probabilities (windows, classes) by tensor name
    reference: outputs of `reference`: the same from the build machine, int8 and float
    report:    JSON: the metrics, F1 of each class, confusion matrix, where they were measured, the
               answers that `verify` expects for the raw items, and sections of the model card
    The metrics are recorded as measured where `infer` ran. StageError: outputs for a different number of
    examples, or for several tensors.
    """
    import json

    from stages.evaluation import bootstrap, classifier
    from stages.pose import _answers, _truth
    from stages.tflite import outputs as raw_outputs

    truth, there = _truth.read(test), raw_outputs.read(outputs)
    scores = _scores(there, truth)
    build, floating = (
        _scores(raw_outputs.read(reference / name), truth) for name in ("default", "float")
    )
    measured_on(there.about["measured_on"])
    matrix = truth.confusion(scores)
    _draw("float", truth.labels, truth.confusion(floating))
    _draw("int8", truth.labels, matrix)
    groups, kind = bootstrap.groups_of(len(truth.classes), truth.people)
    span = bootstrap.share_interval(truth.hits(scores), groups)
    difference = there.about["difference"]
    metrics = ScoreMetrics(
        **classifier.metrics(
            matrix, span, truth.accuracy(floating), truth.accuracy(build), difference
        ),
        nothing_seen=float(matrix[:, -1].sum()),
    )
    note(
        f"accuracy {metrics['accuracy']:.4f}, {metrics['accuracy_delta']:+.4f} compared "
        f"with {difference['machine']} and {difference['runtime']}"
    )
    _warn(metrics, matrix, truth.labels)
    about = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        **_classes(truth.labels, matrix),
        "answers": _answers.expected(test, scores, truth),
    }
    about["card"] = _card(about, truth, kind)
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return metrics


def _draw(form: str, labels: list[str], matrix: "NDArray[np.int64]") -> None:
    """Draw the confusion matrix, with a column `nothing` if any clip has that answer."""
    from stages.tasks.keypoints.presence import NOTHING

    if matrix[:, -1].any():
        confusion_matrix(form, [*labels, NOTHING], [*matrix.tolist(), [0] * (len(labels) + 1)])
    else:
        confusion_matrix(form, labels, matrix[:, :-1].tolist())


def _warn(metrics: ScoreMetrics, matrix: "NDArray[np.int64]", labels: list[str]) -> None:
    """Add notes about shortcomings of the test part that make its figures unreliable."""
    from stages.evaluation import classifier

    if untested := classifier.untested(matrix, labels):
        note(
            f"the test part has no clip of {', '.join(untested)}: record more clips or people, or "
            "put some of these clips into test/"
        )
    if metrics["nothing_seen"]:
        note(
            f"the pose model sees nobody in {metrics['nothing_seen']:.0f} of "
            f"{metrics['test_examples']:.0f} test clips: they count as wrong"
        )
    for text in classifier.no_better(metrics, matrix, labels, "training clips"):
        note(text)


def _scores(found: Any, truth: "Truth") -> "NDArray[np.float32]":
    """Return the values of the only output (windows, classes)."""
    from stages.evaluation import classifier

    windows = len(truth.clips)
    return classifier.only_output(found.values(), windows, "an activity classifier", "windows")


def _classes(labels: list[str], matrix: "NDArray[np.int64]") -> dict[str, Any]:
    from stages.evaluation.classifier import f1

    classes = {
        label: {"f1": float(value), "examples": int(row.sum()), "nothing": int(row[-1])}
        for label, value, row in zip(labels, f1(matrix), matrix, strict=True)
    }
    return {"labels": labels, "confusion_matrix": matrix[:, :-1].tolist(), "classes": classes}


def _card(about: dict[str, Any], truth: "Truth", groups: str) -> dict[str, str]:
    """Return sections of the model card: title -> Markdown. groups: the groups of the interval."""
    tested = {label: row for label, row in about["classes"].items() if row["examples"]}
    untested = [label for label in truth.labels if label not in tested]
    rows = "\n".join(
        f"| {label} | {row['f1']:.3f} | {row['examples']} |" for label, row in tested.items()
    )
    figures = (
        f"Accuracy on {about['test_examples']:.0f} test clips: {about['accuracy']:.3f} "
        f"(95 % interval {about['accuracy_low']:.3f} to {about['accuracy_high']:.3f}, over {groups}); "
        f"of the float model {about['float_accuracy']:.3f}. Always answering the most frequent "
        f"activity gives {about['majority_baseline']:.3f}.\n\n"
        f"| activity | F1 | test clips |\n| --- | --- | --- |\n{rows}"
    )
    if untested:
        figures += f"\n\nNot tested, for lack of test clips: {', '.join(untested)}."
    return {
        "Intended use": (
            f"Recognising what a person is doing: {', '.join(truth.labels)}. The person must be fully "
            "visible, alone, and filmed by a fixed camera.\n\n"
            "Not for decisions about people's health, safety or rights, and not for identifying people."
        ),
        "Data": _data(truth),
        "Figures": figures,
        "Limits": (
            "The model knows only these activities. It answers `nothing` if the pose model sees "
            "nobody, and one of its activities for anything else that it sees. It was tested only "
            "on people and cameras like those of its data set."
        ),
    }


def _data(truth: "Truth") -> str:
    """Return a table of the clips by activity and part."""
    parts = list(truth.counts)
    rows = "\n".join(
        f"| {label} | " + " | ".join(str(truth.counts[part].get(label, 0)) for part in parts) + " |"
        for label in truth.labels
    )
    people = len({person for person in truth.people or [] if person})
    words = f"\n\nPeople in the test part: {people}." if people else ""
    return f"Clips:\n\n| activity | {' | '.join(parts)} |\n|{' --- |' * (len(parts) + 1)}\n{rows}{words}"
