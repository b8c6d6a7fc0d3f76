"""Compares the answers of the user's model with the truth of the test part: classes, or amounts."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.custom._measures import Tested


class ScoreMetrics(TypedDict):
    """The packed model as it ran on the target, on all test examples.

    skill is the share of the simplest answer's errors that the model avoids: 1 is perfect, 0 is no better
    than always answering the most frequent class, or the median; baseline_margin is the difference to that,
    baseline_majority or baseline_median its accuracy or mad. chance_margin is above 0 if the model certainly
    knows more than nothing: auroc_low - 0.5, or baseline_margin of amounts.

    Of classes: accuracy, f1_macro, correct, untested_classes, and auroc, the mean of each class against all
    others if there are more than two. Of amounts: mad, the mean absolute deviation, rmse, and r2, which is
    missing if all values are equal. *_low and *_high are bounds of the 95 % interval by bootstrap over the
    examples.
    float_accuracy and float_mad are the float model's, accuracy_drop and skill_drop what quantisation costs;
    accuracy_drop_beyond_one is 0 if only one example is lost. They are missing for a model without an int8
    form. accuracy_build and accuracy_delta compare with the build machine.
    outputs_differ, max_step_difference and reference_bit_equal are copied from `infer`.
    """

    skill: float
    skill_low: float
    skill_high: float
    baseline_margin: float
    chance_margin: float
    test_examples: float
    accuracy: NotRequired[float]
    accuracy_low: NotRequired[float]
    accuracy_high: NotRequired[float]
    float_accuracy: NotRequired[float]
    accuracy_drop: NotRequired[float]
    accuracy_drop_beyond_one: NotRequired[float]
    f1_macro: NotRequired[float]
    correct: NotRequired[float]
    auroc: NotRequired[float]
    auroc_low: NotRequired[float]
    auroc_high: NotRequired[float]
    baseline_majority: NotRequired[float]
    untested_classes: NotRequired[float]
    accuracy_build: NotRequired[float]
    accuracy_delta: NotRequired[float]
    mad: NotRequired[float]
    mad_low: NotRequired[float]
    mad_high: NotRequired[float]
    float_mad: NotRequired[float]
    skill_drop: NotRequired[float]
    rmse: NotRequired[float]
    r2: NotRequired[float]
    baseline_median: NotRequired[float]
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In,
    train: In,
    outputs: In,
    reference: In,
    decision: In,
    report: Annotated[Out, Suffix(".json")],
) -> ScoreMetrics:
    """Compare outputs with the ground truth.

    test, train: the parts that stages.custom.dataset wrote
    outputs:     what `infer` wrote; reference: what `reference` wrote, on the build machine
    decision:    what `train` wrote: what the outputs mean
    report:      JSON: the metrics, where they were measured, the answers that `verify` expects for the
                 raw items, and sections of the model card

    The metrics are recorded as measured where `infer` ran. StageError: outputs for another number of
    examples.
    """
    import json

    import numpy as np

    from stages.custom import _card, _figures, _measures
    from stages.tasks.columns.decision import Decision
    from stages.tflite import outputs as raw_outputs

    truth = json.loads((test / "truth.json").read_text(encoding="utf-8"))
    y, y_train = (np.load(folder / "truth_target.npy") for folder in (test, train))
    decided = Decision.of(json.loads(decision.read_text(encoding="utf-8")))
    forms = raw_outputs.forms(outputs, reference)
    there = forms["int8"]
    tested = {name: _measures.tested(one, y, decided) for name, one in forms.items()}
    measured_on(there.about["measured_on"])
    difference = there.about["difference"]
    labels = list(truth["labels"])
    if labels:
        found = _measures.of_classes(tested, len(labels), difference)
    else:
        found = _measures.of_amounts(tested, float(np.median(y_train)), difference)
    metrics = ScoreMetrics(**found)  # type: ignore[typeddict-item]
    _figures.draw(tested, labels, truth["target"])
    if metrics["baseline_margin"] <= 0:
        simplest = "the most frequent class" if labels else "the median"
        note(f"the model is no better than always answering {simplest}: it has learnt nothing")
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, tested["int8"], decided, labels),
        "card": _card.sections(metrics, truth, len(y_train)),
    }
    report.write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    return metrics


def _answers(
    test: "Path", packed: "Tested", decision: Any, labels: list[str]
) -> list[dict[str, Any]]:
    """Return what the package answers to the raw items."""
    from stages.tasks.table import answered
    from stages.tflite import part

    rows = answered(packed.judged, decision, labels)
    return [
        {"file": item.path.name, "rows": [{"row": 1, **rows[item.first]}]}
        for item in part.items(test)
    ]
