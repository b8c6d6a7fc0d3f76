"""The stage that judges the classifier's outputs by the truth of the test part, clip by clip."""

from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, measured_on, note
from engine.stage.figures import confusion_matrix
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.pose._truth import Truth


class ScoreMetrics(TypedDict):
    """accuracy, f1_macro (of the classes that the test part has) and correct are those of the int8
    model as the target ran it; accuracy_drop is float minus int8; shares are 0 to 1.

    baseline_margin is accuracy minus majority_baseline, the share of the most frequent class;
    untested_classes counts the classes of the training without a test clip: both have gates.
    nothing_seen counts test clips in which the pose model sees nobody: they count as wrong.

    accuracy_build is the build machine's, accuracy_delta the target's minus that one;
    outputs_differ, max_step_difference and reference_bit_equal are carried along from `infer`.
    """

    accuracy: float
    float_accuracy: float
    accuracy_drop: float
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
    """Compare outputs with the truth; examples that belong to a clip are judged together.

    test:      the part that stages.pose.dataset wrote
    outputs:   what `infer` wrote: probabilities (windows, classes) by tensor name
    reference: what `reference` wrote: the same of the build machine, int8 and float
    report:    JSON: the metrics, F1 of each class, confusion matrix, where it was measured, the
               answers that `verify` expects of the raw items, and sections of the model card

    The metrics count as measured where `infer` ran. StageError: outputs of another number of
    examples, or of several tensors.
    """
    import json

    from stages.pose import _answers, _truth
    from stages.tflite import outputs as raw_outputs

    truth, there = _truth.read(test), raw_outputs.read(outputs)
    scores = _scores(there, truth)
    build, floating = (
        _scores(raw_outputs.read(reference / name), truth) for name in ("default", "float")
    )
    measured_on(there.about["taken"])
    matrix = truth.confusion(scores)
    _draw(truth.labels, matrix)
    metrics = _metrics(matrix, truth.accuracy(floating), truth.accuracy(build))
    difference = there.about["difference"]
    for name in ("outputs_differ", "max_step_difference", "reference_bit_equal"):
        metrics[name] = float(difference[name])  # type: ignore[literal-required]
    note(
        f"accuracy {metrics['accuracy']:.4f}, {metrics['accuracy_delta']:+.4f} to "
        f"{difference['machine']} with {difference['runtime']}"
    )
    _warn(metrics, matrix, truth.labels)
    about = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "taken")},
        **metrics,
        **_classes(truth.labels, matrix),
        "answers": _answers.expected(test, scores, truth),
    }
    about["card"] = _card(about, truth)
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return metrics


def _draw(labels: list[str], matrix: "NDArray[np.int64]") -> None:
    """Draw the confusion matrix, with `nothing` if some clip was answered so."""
    from stages.tasks.keypoints.presence import NOTHING

    if matrix[:, -1].any():
        confusion_matrix("int8", [*labels, NOTHING], [*matrix.tolist(), [0] * (len(labels) + 1)])
    else:
        confusion_matrix("int8", labels, matrix[:, :-1].tolist())


def _warn(metrics: ScoreMetrics, matrix: "NDArray[np.int64]", labels: list[str]) -> None:
    """Say what the test part lacks, if its figures mean little."""
    tested = matrix.sum(1)
    untested = [label for label, count in zip(labels, tested, strict=True) if not count]
    if untested:
        note(
            f"the test part has no clip of {', '.join(untested)}: record more clips or people, or "
            "put some of these clips into test/"
        )
    if metrics["nothing_seen"]:
        note(
            f"{metrics['nothing_seen']:.0f} of {metrics['test_examples']:.0f} test clips show nobody "
            "that the pose model sees: they count as wrong"
        )
    if metrics["baseline_margin"] <= 0:
        note(
            f"an accuracy of {metrics['accuracy']:.4f} is no better than always answering "
            f"{labels[int(tested.argmax())]} ({metrics['majority_baseline']:.4f}): add training clips"
        )


def _scores(found: Any, truth: "Truth") -> "NDArray[np.float32]":
    """Return the only output (windows, classes) as values."""
    values = found.values()
    if len(values) != 1:
        raise StageError(f"an activity classifier has one output, this one has {len(values)}")
    (scores,) = values.values()
    if len(scores) != len(truth.clips):
        raise StageError(
            f"there are outputs of {len(scores)} windows, and {len(truth.clips)} in the test part: "
            "run `infer` on this part"
        )
    return scores  # type: ignore[no-any-return]


def _metrics(
    matrix: "NDArray[np.int64]", float_accuracy: float, accuracy_build: float
) -> ScoreMetrics:
    from stages.pose._truth import f1

    tested = matrix.sum(1)  # (classes,)
    accuracy = float(matrix.trace() / matrix.sum())
    baseline = float(tested.max() / matrix.sum())
    return ScoreMetrics(
        accuracy=accuracy,
        float_accuracy=float_accuracy,
        accuracy_drop=float_accuracy - accuracy,
        f1_macro=mean(value for value, count in zip(f1(matrix), tested, strict=True) if count),
        correct=float(matrix.trace()),
        test_examples=float(matrix.sum()),
        majority_baseline=baseline,
        baseline_margin=accuracy - baseline,
        untested_classes=float((tested == 0).sum()),
        nothing_seen=float(matrix[:, -1].sum()),
        accuracy_build=accuracy_build,
        accuracy_delta=accuracy - accuracy_build,
        outputs_differ=0.0,
        max_step_difference=0.0,
        reference_bit_equal=0.0,
    )


def _classes(labels: list[str], matrix: "NDArray[np.int64]") -> dict[str, Any]:
    from stages.pose._truth import f1

    classes = {
        label: {"f1": value, "examples": int(row.sum()), "nothing": int(row[-1])}
        for label, value, row in zip(labels, f1(matrix), matrix, strict=True)
    }
    return {"labels": labels, "confusion_matrix": matrix[:, :-1].tolist(), "classes": classes}


def _card(about: dict[str, Any], truth: "Truth") -> dict[str, str]:
    """Return sections of the model card: title -> Markdown."""
    counts = ", ".join(f"{part} {sum(clips.values())}" for part, clips in truth.counts.items())
    rows = "\n".join(
        f"| {label} | {row['f1']:.3f} | {row['examples']} |"
        for label, row in about["classes"].items()
    )
    return {
        "Data": f"Activities: {', '.join(truth.labels)}\n\nClips: {counts}",
        "Figures": (
            f"Accuracy on the test part: {about['accuracy']:.4f} (int8), "
            f"{about['float_accuracy']:.4f} (float)\n\n"
            f"| activity | F1 | test clips |\n| --- | --- | --- |\n{rows}"
        ),
        "Limits": (
            "The model knows these activities only. It answers `nothing` if the pose model sees "
            "nobody, and names one of its activities for whatever else it sees; it was tested on "
            "people and cameras like those of its data set, not on others."
        ),
    }
