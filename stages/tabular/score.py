"""Compares the answers for a table's test rows with the truth, and with the answers of the baselines."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict, cast

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.tabular._measures import Tested
    from stages.tasks.columns.decision import Decision
    from stages.tflite.outputs import Outputs


class ScoreMetrics(TypedDict):
    """The int8 model as it ran on the target, on all test rows. *_low and *_high are the bounds of the 95 %
    interval by bootstrap over the rows, float_* the float model's figures, missing for a model without one.

    Of classes: accuracy, f1_macro (over the classes with test rows), correct, untested_classes; auroc, the
    area under the ROC, for more than two classes the mean of each against all others, missing if the test
    part has one class. accuracy_drop and auroc_drop are float minus int8; accuracy_drop_beyond_one is 0 if
    only one row is lost; it has a gate. Shares range from 0 to 1.

    Of numbers: mad, the mean absolute deviation, and rmse, in the target's unit; r2, missing if all test
    values are equal; interval_coverage, the share of rows between the answer's low and high (80 % are meant
    to be). skill_drop is what int8 costs in mad, as a share of the median's mad; skill_drop_beyond_chance is
    not above 0 if its 95 % interval contains 0; it has a gate.

    baseline_majority or baseline_median, baseline_linear and baseline_boosting are the accuracy or mad of
    the baselines on the same rows, baseline_*_auroc their area. baseline_margin is by how much the model is
    better than the majority or the median, boosting_margin than gradient boosting; skill is the share of the
    majority's or median's errors that the model avoids. chance_margin is above 0 if the model certainly
    knows more than nothing: auroc_low - 0.5, or baseline_margin of numbers.

    *_build is measured on the build machine, *_delta is the target's figure minus it.
    outputs_differ, max_step_difference and reference_bit_equal are copied from `infer`.
    """

    skill: float
    skill_low: float
    skill_high: float
    test_examples: float
    accuracy: NotRequired[float]
    accuracy_low: NotRequired[float]
    accuracy_high: NotRequired[float]
    float_accuracy: NotRequired[float]
    accuracy_drop: NotRequired[float]
    accuracy_drop_beyond_one: NotRequired[float]
    f1_macro: NotRequired[float]
    correct: NotRequired[float]
    untested_classes: NotRequired[float]
    auroc: NotRequired[float]
    auroc_low: NotRequired[float]
    auroc_high: NotRequired[float]
    float_auroc: NotRequired[float]
    auroc_drop: NotRequired[float]
    mad: NotRequired[float]
    mad_low: NotRequired[float]
    mad_high: NotRequired[float]
    float_mad: NotRequired[float]
    skill_drop: NotRequired[float]
    skill_drop_beyond_chance: NotRequired[float]
    rmse: NotRequired[float]
    r2: NotRequired[float]
    interval_coverage: NotRequired[float]
    baseline_majority: NotRequired[float]
    baseline_median: NotRequired[float]
    baseline_linear: float
    baseline_boosting: float
    baseline_linear_auroc: NotRequired[float]
    baseline_boosting_auroc: NotRequired[float]
    baseline_margin: float
    boosting_margin: float
    chance_margin: float
    accuracy_build: NotRequired[float]
    accuracy_delta: NotRequired[float]
    mad_build: NotRequired[float]
    mad_delta: NotRequired[float]
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In,
    train: In,
    outputs: In,
    reference: In,
    decision: In,
    baselines: In,
    importance: In,
    report: Annotated[Out, Suffix(".json")],
) -> ScoreMetrics:
    """Compare outputs with the ground truth.

    test, train: the parts that stages.tabular.dataset wrote
    outputs:     what `infer` wrote: logits (rows, classes or levels)
    reference:   what `reference` wrote: the same on the build machine, int8 and float
    decision:    what `train` wrote: what the logits mean
    baselines:   what stages.tabular.baselines wrote: their answers to the test rows
    importance:  what stages.tabular.importance wrote
    report:      JSON: the metrics, where they were measured, the answers that `verify` expects for the raw
                 items, and sections of the model card

    The metrics are recorded as measured where `infer` ran. StageError: outputs for another number of rows,
    or several output tensors.
    """
    import json

    import numpy as np

    from stages.tabular import _card, _measures, _plain, _results
    from stages.tasks.columns.decision import Decision
    from stages.tflite import outputs as raw_outputs

    truth, about = np.load(test / "truth_target.npy"), _plain.about(test)
    decided = Decision.of(_json(decision))
    answered = raw_outputs.forms(outputs, reference)
    there = answered["int8"]
    forms = {name: _tested(one, truth, decided) for name, one in answered.items()}
    rivals, kinds = _rivals(baselines, truth), _json(baselines / "baselines.json")["forms"]
    measured_on(there.about["measured_on"])
    difference, labels = there.about["difference"], list(about["labels"])
    if labels:
        found = _measures.of_classes(forms, rivals, len(labels), difference)
    else:
        found = _measures.of_numbers(forms, rivals, difference)
    metrics = cast(ScoreMetrics, found)
    shown = {name: forms[name] for name in ("int8", "float") if name in forms}
    columns = _json(importance)
    _results.draw(shown, rivals, about, columns, _json(test / "rows.json"))
    for text in _warnings(metrics, forms["int8"], labels):
        note(text)
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, forms["int8"], decided, labels),
        "card": _card.sections(metrics, about, _rows(train, test), kinds, columns),
    }
    report.write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    return metrics


def _tested(found: "Outputs", truth: "NDArray[Any]", decision: "Decision") -> "Tested":
    from stages.evaluation import classifier
    from stages.tabular._measures import Tested

    logits = classifier.only_output(found.values(), len(truth), "a model for tables", "rows")
    return Tested.of(logits, truth, decision)


def _rivals(folder: "Path", truth: "NDArray[Any]") -> "dict[str, Tested]":
    """Return the answers of the baselines by name, the simplest one first."""
    import numpy as np

    from stages.tabular._measures import Tested

    names = ["majority", "median", "linear", "boosting"]
    files = {name: folder / f"{name}.npy" for name in names}
    return {
        name: Tested.predicted(np.load(path), truth)
        for name, path in files.items()
        if path.is_file()
    }


def _rows(train: "Path", test: "Path") -> "dict[str, NDArray[Any]]":
    """Return the true values of each part."""
    import numpy as np

    folders = {"training": train, "validation": train / "validation", "test": test}
    return {
        name: np.load(folder / "truth_target.npy")
        for name, folder in folders.items()
        if folder.is_dir()
    }


def _warnings(metrics: ScoreMetrics, int8: "Tested", labels: list[str]) -> list[str]:
    """Return what a user should know about figures that mean little."""
    from stages.evaluation import classifier

    found = []
    if labels and (untested := classifier.untested(int8.matrix(len(labels)), labels)):
        found.append(f"the test part has no row of {', '.join(untested[:8])}: add rows")
    if metrics["baseline_margin"] <= 0:
        simplest = "the most frequent class" if labels else "the median of the training rows"
        found.append(
            f"the model is no better than always answering {simplest}: add rows or columns"
        )
    if metrics["boosting_margin"] < 0:
        name = "accuracy" if labels else "mad"
        ours, low, high = (_value(metrics, f"{name}{one}") for one in ("", "_low", "_high"))
        theirs = metrics["baseline_boosting"]
        chance = ", which may be chance" if low <= theirs <= high else ""
        found.append(
            f"gradient boosting is better: {name} {theirs:.4g} instead of {ours:.4g}{chance}"
        )
    return found


def _value(metrics: ScoreMetrics, name: str) -> float:
    return float(cast(dict[str, float], metrics)[name])


def _answers(
    test: "Path", int8: "Tested", decision: "Decision", labels: list[str]
) -> list[dict[str, Any]]:
    """Return what the package answers to the raw items."""
    from stages.tasks.table import answered
    from stages.tflite import part

    rows = answered(int8.judged, decision, labels)
    return [{"file": one.path.name, "rows": [rows[one.first]]} for one in part.items(test)]


def _json(path: "Path") -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
