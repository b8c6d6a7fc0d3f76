"""Compares the classifier's outputs with the truth of the test part, picture by picture."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class ScoreMetrics(TypedDict):
    """accuracy, top_3, f1_macro (of the classes that the test part has) and correct are those of the
    int8 model as the target ran it; accuracy_drop is float minus int8; shares are 0 to 1.
    accuracy_drop_beyond_one is the same, but 0 if only one test example is lost: it has a gate.
    accuracy_low, accuracy_high: its 95 % interval by bootstrap over the test pictures.

    baseline_margin is accuracy minus majority_baseline, the share of the most frequent class;
    untested_classes counts the classes of the training without a test picture. rejected is the share
    of the test pictures that are answered with `none of these`; accuracy does not count that.
    calibration_error is the expected one, of ten bins of probability (Guo et al. 2017).

    accuracy_build is the build machine's, accuracy_delta the target's minus that one;
    outputs_differ, max_step_difference and reference_bit_equal are carried along from `infer`.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    float_accuracy: float
    accuracy_drop: float
    accuracy_drop_beyond_one: float
    top_3: float
    f1_macro: float
    correct: float
    test_examples: float
    majority_baseline: float
    baseline_margin: float
    untested_classes: float
    rejected: float
    calibration_error: float
    accuracy_build: float
    accuracy_delta: float
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In,
    outputs: In,
    reference: In,
    decision: In,
    report: Annotated[Out, Suffix(".json")],
) -> ScoreMetrics:
    """Compare outputs with the truth.

    test:      the part that stages.vision.dataset wrote
    outputs:   what `infer` wrote: probabilities (pictures, classes) by tensor name
    reference: what `reference` wrote: the same of the build machine, int8 and float
    decision:  what `train` wrote: the threshold of `none of these`
    report:    JSON: the metrics, where it was measured, the answers that `verify` expects of the raw
               items, and sections of the model card

    The metrics count as measured where `infer` ran. StageError: outputs of another number of
    pictures, or of several tensors.
    """
    import json

    import numpy as np

    from stages.evaluation import classifier
    from stages.tflite import outputs as raw_outputs
    from stages.vision import _figures

    truth = np.load(test / "truth_class.npy")
    about = json.loads((test / "truth.json").read_text(encoding="utf-8"))
    labels, threshold = about["labels"], json.loads(decision.read_text())["threshold"]
    there = raw_outputs.read(outputs)
    scores = _scores(there, truth)
    others = {
        name: _scores(raw_outputs.read(reference / name), truth) for name in ("default", "float")
    }
    matrix = classifier.confusion(truth, scores.argmax(1), len(labels))
    measured_on(there.about["taken"])
    metrics = _metrics(scores, others, matrix, truth, there.about["difference"], threshold)
    _figures.draw(test, {"int8": scores, "float": others["float"]}, truth, about)
    _warn(metrics, matrix, labels)
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "taken")},
        **metrics,
        "answers": _answers(test, scores, labels, threshold),
        "card": _card(metrics, matrix, labels),
    }
    report.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return metrics


def _scores(found: Any, truth: "NDArray[np.int64]") -> "NDArray[np.float32]":
    """Return the only output (pictures, classes) as values."""
    from stages.evaluation import classifier

    return classifier.only_output(found.values(), len(truth), "a picture classifier", "pictures")


def _metrics(
    scores: "NDArray[np.float32]",
    others: "dict[str, NDArray[np.float32]]",
    matrix: "NDArray[np.int64]",
    truth: "NDArray[np.int64]",
    difference: dict[str, Any],
    threshold: float,
) -> ScoreMetrics:
    """Return the metrics; others: the scores of the build machine (default) and the float model."""
    import numpy as np

    from stages.evaluation import bootstrap, classifier
    from stages.vision import _truth

    interval = bootstrap.share_interval(scores.argmax(1) == truth, range(len(truth)))
    found = {name: float((one.argmax(1) == truth).mean()) for name, one in others.items()}
    best = np.argsort(-scores, axis=1, kind="stable")[:, :3]
    return ScoreMetrics(
        **classifier.metrics(matrix, interval, found["float"], found["default"], difference),
        top_3=float((best == truth[:, None]).any(1).mean()),
        rejected=float((scores.max(1) < threshold).mean()),
        calibration_error=_truth.calibration_error(scores, truth),
    )


def _warn(metrics: ScoreMetrics, matrix: "NDArray[np.int64]", labels: list[str]) -> None:
    """Say what the test part lacks, if its figures mean little."""
    from stages.evaluation import classifier

    if untested := classifier.untested(matrix, labels):
        note(f"the test part has no picture of {', '.join(untested)}: add pictures of them")
    for text in classifier.no_better(metrics, matrix, labels, "pictures"):
        note(text)


def _answers(
    test: "Path", scores: "NDArray[np.float32]", labels: list[str], threshold: float
) -> list[dict[str, Any]]:
    from stages.tasks.classify import decided
    from stages.tflite import part

    found = []
    for item in part.items(test):
        answer = decided(scores[item.first], labels, threshold)
        row = {name: answer[name] for name in ("label", "probability")}
        found.append({"file": item.path.name, "rows": [row]})
    return found


def _card(metrics: ScoreMetrics, matrix: "NDArray[np.int64]", labels: list[str]) -> dict[str, str]:
    """Return sections of the model card: title -> Markdown."""
    from stages.evaluation import classifier

    tested, f1 = matrix.sum(1), classifier.f1(matrix)
    rows = "\n".join(
        f"| {label} | {value:.3f} | {count} |" if count else f"| {label} | not tested | 0 |"
        for label, value, count in zip(labels, f1, tested, strict=True)
    )
    return {
        "Intended use": (
            f"Name what a picture shows, out of {len(labels)} classes. Not for decisions about "
            "people's health, safety or rights."
        ),
        "Data": f"Classes: {', '.join(labels)}\n\nTest pictures: {matrix.sum()}",
        "Figures": (
            f"Accuracy on {matrix.sum()} test pictures: {metrics['accuracy']:.3f} (95 % interval "
            f"{metrics['accuracy_low']:.3f} to {metrics['accuracy_high']:.3f}); of the float model "
            f"{metrics['float_accuracy']:.3f}. Always answering the most frequent class gives "
            f"{metrics['majority_baseline']:.3f}.\n\n"
            f"| class | F1 | test pictures |\n| --- | --- | --- |\n{rows}"
        ),
        "Limits": (
            "The model knows only these classes. It answers `none of these` if no class is "
            f"probable, which also happens to {metrics['rejected']:.1%} of the test "
            "pictures; a picture of something else may still get the name of a class. It "
            "was tested only on pictures like those of its data set."
        ),
    }
