"""Compares the classifier's outputs with the ground truth of the test part, picture by picture."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.evaluation.classifier import Matrix
    from stages.tflite.outputs import Outputs

# metrics that an unevaluated model does not have
UNEVALUATED = ("accuracy", "accuracy_low", "accuracy_high", "baseline_margin")


class ScoreMetrics(TypedDict):
    """accuracy, top_3, f1_macro (over the classes with test pictures) and correct describe the int8 model
    as it ran on the target; accuracy_drop is float minus int8; shares range from 0 to 1.
    accuracy_drop_beyond_one is the same, but 0 if only one test example is lost; it has a gate. Both
    are missing for a pretrained network without a float form.
    accuracy_low, accuracy_high: the 95 % interval of accuracy by bootstrap over the test pictures.

    baseline_margin is accuracy minus majority_baseline, the share of the most frequent class;
    untested_classes counts the trained classes without a test picture. kept_classes counts the classes
    from an earlier package, and kept_untested those of them without a test picture. If there are any,
    the model is unevaluated: accuracy and baseline_margin are missing, and tested_accuracy is the
    accuracy on the available pictures. rejected is the share of the test pictures that are answered
    with `none of these`; accuracy ignores the rejection. calibration_error is the expected calibration
    error over ten probability bins (Guo et al. 2017).

    accuracy_build is the accuracy on the build machine, accuracy_delta the target's minus that one;
    outputs_differ, max_step_difference and reference_bit_equal are copied from `infer`.
    """

    accuracy: NotRequired[float]
    accuracy_low: NotRequired[float]
    accuracy_high: NotRequired[float]
    tested_accuracy: NotRequired[float]
    float_accuracy: NotRequired[float]
    accuracy_drop: NotRequired[float]
    accuracy_drop_beyond_one: NotRequired[float]
    top_3: float
    f1_macro: float
    correct: float
    test_examples: float
    majority_baseline: float
    baseline_margin: NotRequired[float]
    untested_classes: float
    kept_classes: float
    kept_untested: float
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
    head: In | None = None,
) -> ScoreMetrics:
    """Compare outputs with the ground truth.

    test:      the part that stages.vision.dataset wrote
    outputs:   what `infer` wrote: probabilities (pictures, classes) by tensor name, or embeddings
               (pictures, ...) if there is a `head`
    reference: what `reference` wrote: the same on the build machine, int8 and float
    decision:  what `train`, `last_layer` or `imprint` wrote: the threshold of `none of these`
    head:      the last layer, if `last_layer` or `imprint` made it
    report:    JSON: the metrics, where they were measured, the answers that `verify` expects for the
               raw items, and sections of the model card

    The metrics are recorded as measured where `infer` ran. StageError: outputs for another number of
    pictures, or several output tensors.
    """
    import json

    import numpy as np

    from stages.evaluation import classifier
    from stages.tflite import outputs as raw_outputs
    from stages.vision import _figures

    truth = np.load(test / "truth_class.npy")
    about = json.loads((test / "truth.json").read_text(encoding="utf-8"))
    labels, decided = about["labels"], json.loads(decision.read_text(encoding="utf-8"))
    forms = raw_outputs.forms(outputs, reference)
    there = forms["int8"]
    scores = {name: _scores(one, truth, head) for name, one in forms.items()}
    matrix = classifier.confusion(truth, scores["int8"].argmax(1), len(labels))
    measured_on(there.about["measured_on"])
    kept = decided.get("head", {}).get("kept", 0)
    metrics = _metrics(scores, matrix, truth, there.about["difference"], kept)
    metrics["rejected"] = float((scores["int8"].max(1) < decided["threshold"]).mean())
    _figures.draw(
        test, {name: one for name, one in scores.items() if name != "build"}, truth, about
    )
    _warn(metrics, matrix, labels, kept)
    _explain(metrics, decided["threshold"], has_float="float" in scores)
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, scores["int8"], labels, decided["threshold"]),
        "card": _card(metrics, matrix, labels),
    }
    report.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return metrics


def _scores(
    found: "Outputs", truth: "NDArray[np.int64]", head: "Path | None"
) -> "NDArray[np.float32]":
    """Return the probabilities (pictures, classes): the only output, or the head applied to it."""
    from stages.evaluation import classifier
    from stages.tasks.head import read

    output = classifier.only_output(found.values(), len(truth), "a picture classifier", "pictures")
    return read(head).probabilities(output) if head else output


def _metrics(
    scores: "dict[str, NDArray[np.float32]]",
    matrix: "Matrix",
    truth: "NDArray[np.int64]",
    difference: dict[str, Any],
    kept: int,
) -> ScoreMetrics:
    """Return the metrics for the scores "int8", "build" (from the build machine) and, if present, "float".
    The first `kept` classes come from an earlier package.
    """

    from stages.evaluation import bootstrap, classifier
    from stages.vision import _truth

    int8, tested = scores["int8"], matrix.sum(1)  # tested: (classes,)
    shares = {name: float((one.argmax(1) == truth).mean()) for name, one in scores.items()}
    interval = bootstrap.share_interval(int8.argmax(1) == truth, range(len(truth)))
    common = classifier.metrics(matrix, interval, shares.get("float"), shares["build"], difference)
    common["untested_classes"] = float((tested[kept:] == 0).sum())
    kept_untested = float((tested[:kept] == 0).sum())
    if kept_untested:
        common["tested_accuracy"] = common["accuracy"]
        common = {name: value for name, value in common.items() if name not in UNEVALUATED}
    return ScoreMetrics(
        **common,
        top_3=float(_truth.top_k(int8, truth)[:3][-1]),
        kept_classes=float(kept),
        kept_untested=kept_untested,
        rejected=0.0,
        calibration_error=_truth.calibration_error(int8, truth),
    )


def _warn(metrics: ScoreMetrics, matrix: "Matrix", labels: list[str], kept: int) -> None:
    """Emit notes about gaps in the test part and about figures that mean little."""
    from stages.evaluation import classifier

    if count := int(metrics["kept_untested"]):
        note(
            f"the model is unevaluated: {count} of its {len(labels)} classes come from assets.packed "
            "and have no test picture, so its accuracy is unknown and its gates are not evaluated. "
            "To evaluate it, set assets.pictures to the pictures of these classes"
        )
    if untested := classifier.untested(matrix[kept:], labels[kept:]):
        note(f"the test part has no picture of {', '.join(untested)}: add pictures of them")
    if "baseline_margin" in metrics:
        for text in classifier.no_better(metrics, matrix, labels, "pictures"):
            note(text)


def _explain(metrics: ScoreMetrics, threshold: float, *, has_float: bool) -> None:
    note(
        f"pictures whose highest class probability is below {threshold:.1%} are labelled 'none of "
        f"these': {metrics['rejected']:.1%} of the test pictures"
    )
    if not has_float:
        note("the model has no float form, so the accuracy lost in int8 cannot be measured")


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


def _card(metrics: ScoreMetrics, matrix: "Matrix", labels: list[str]) -> dict[str, str]:
    """Return sections of the model card: title -> Markdown."""
    from stages.evaluation import classifier

    tested, count = matrix.sum(1), int(matrix.sum())
    rows = "\n".join(
        f"| {label} | {value:.3f} | {count} |" if count else f"| {label} | not tested | 0 |"
        for label, value, count in zip(labels, classifier.f1(matrix), tested, strict=True)
    )
    known = metrics["kept_untested"] == 0
    figures = _accuracy(metrics, count) if known else _unevaluated(metrics, count)
    return {
        "Intended use": (
            f"Name what a picture shows, out of {len(labels)} classes. Not for decisions about "
            "people's health, safety or rights."
        ),
        "Data": f"Classes: {', '.join(labels)}\n\nTest pictures: {count}",
        "Figures": f"{figures}\n\n| class | F1 | test pictures |\n| --- | --- | --- |\n{rows}",
        "Limits": (
            "The model knows only these classes. It answers `none of these` if no class is "
            f"probable, which also happens to {metrics['rejected']:.1%} of the test "
            "pictures; a picture of something else may still get the name of a class. It "
            "was tested only on pictures like those of its data set."
        ),
    }


def _accuracy(metrics: ScoreMetrics, count: int) -> str:
    floating = metrics.get("float_accuracy")
    beside = "" if floating is None else f"; of the float model {floating:.3f}"
    return (
        f"Accuracy on {count} test pictures: {metrics['accuracy']:.3f} (95 % interval "
        f"{metrics['accuracy_low']:.3f} to {metrics['accuracy_high']:.3f}){beside}. Always answering "
        f"the most frequent class gives {metrics['majority_baseline']:.3f}."
    )


def _unevaluated(metrics: ScoreMetrics, count: int) -> str:
    return (
        f"Unevaluated: {metrics['kept_untested']:.0f} of the {metrics['kept_classes']:.0f} classes "
        "that were kept from an earlier package were not tested again. On the "
        f"{count} test pictures of the other classes, {metrics['tested_accuracy']:.1%} of the "
        "answers are right."
    )
