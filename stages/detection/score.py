"""Compares a detector's objects with the true boxes of the test part, picture by picture."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.detection._truth import Truth
    from stages.detection.evaluation._average_precision import Evaluation
    from stages.detection.evaluation._errors import Errors
    from stages.tasks.boxes import Detections
    from stages.tflite.outputs import Outputs


class ScoreMetrics(TypedDict):
    """map50 is the mean average precision at an intersection over union of 0.5, 0 to 1, over the classes
    with true boxes; map is its mean over the overlaps 0.5, 0.55 ... 0.95, as for COCO. Both describe the
    model as it ran on the target. map50_low, map50_high: the 95 % interval of map50 by bootstrap over
    the test pictures. map50_small, map50_medium, map50_large: map50 of the true boxes below 32² pixels
    of the original picture, below 96², and above.

    float_map50, float_map: of the float model. map50_drop is float minus int8; map50_drop_beyond_one is
    the same, but 0 if it is not more than one true box is worth; it has a gate. These are missing for a
    pretrained model without a float version.

    precision, recall and f1 are those of all detections above the thresholds in the package. missed,
    wrong_class, poor_overlap, both, duplicate and background count their errors by kind, as TIDE does.

    baseline_map50 is the map50 of a detector that sees nothing: it finds one box in each picture, the
    mean box of the most frequent class. baseline_margin is map50 minus this. untested_classes counts
    the classes without a true box in the test part.

    map50_build is map50 on the build machine, map50_delta the target's minus that one; outputs_differ,
    max_step_difference and reference_bit_equal are copied from `infer`.

    Without a true box in the test part, the model is unevaluated: what needs one is missing.
    """

    map50: NotRequired[float]
    map50_low: NotRequired[float]
    map50_high: NotRequired[float]
    map: NotRequired[float]
    map50_small: NotRequired[float]
    map50_medium: NotRequired[float]
    map50_large: NotRequired[float]
    float_map50: NotRequired[float]
    float_map: NotRequired[float]
    map50_drop: NotRequired[float]
    map50_drop_beyond_one: NotRequired[float]
    precision: NotRequired[float]
    recall: NotRequired[float]
    f1: NotRequired[float]
    missed: NotRequired[float]
    wrong_class: NotRequired[float]
    poor_overlap: NotRequired[float]
    both: NotRequired[float]
    duplicate: NotRequired[float]
    background: NotRequired[float]
    baseline_map50: NotRequired[float]
    baseline_margin: NotRequired[float]
    map50_build: NotRequired[float]
    map50_delta: NotRequired[float]
    untested_classes: NotRequired[float]
    test_pictures: float
    test_boxes: float
    detections: float
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In,
    outputs: In,
    reference: In,
    decision: In,
    report: Annotated[Out, Suffix(".json")],
    anchors: In | None = None,
) -> ScoreMetrics:
    """Compare the detections with the ground truth, by pycocotools.

    test:      the part that stages.detection.dataset wrote
    outputs:   what `infer` wrote: the detector's outputs by name, as stages.tasks.detect reads them
    reference: what `reference` wrote: the same on the build machine, int8 and float
    decision:  what `train` or `coco` wrote: thresholds, and how outputs become objects
    anchors:   a folder with anchors.npy, unless the model decodes its boxes itself
    report:    JSON: the metrics, where they were measured, the answers that `verify` expects for the
               raw items, and sections of the model card

    The metrics are recorded as measured where `infer` ran. StageError: outputs for another number of
    pictures, or no detector's outputs.
    """
    import json

    from stages.detection import _truth
    from stages.detection.evaluation import _average_precision, _card, _errors, _figures, _grid
    from stages.tasks import detect
    from stages.tflite import outputs as raw_outputs

    truth = _truth.read(test)
    constants = _constants(test, decision)
    thresholds = detect.thresholds(constants, truth.labels)
    forms = raw_outputs.forms(outputs, reference)
    there = forms["int8"]
    each = {name: _detections(one, truth, constants, anchors) for name, one in forms.items()}
    found = {name: _average_precision.evaluate(truth, one) for name, one in each.items()}
    errors = _errors.find(found["int8"], thresholds)
    measured_on(there.about["measured_on"])
    metrics = _metrics(found, errors, thresholds, there.about["difference"])
    if metrics["test_boxes"]:
        shown = {name: one for name, one in found.items() if name != "build"}
        _figures.draw(test, shown, errors, thresholds)
    else:
        _grid.detections(test, found["int8"], errors)
    _warn(metrics, found["int8"])
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, each["int8"], truth, thresholds),
        "card": _card.card(metrics, found["int8"], thresholds),
    }
    report.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return metrics


def _constants(test: "Path", decision: "Path") -> dict[str, Any]:
    """Return the constants as they are packed."""
    import json

    part, decided = (
        json.loads(path.read_text(encoding="utf-8")) for path in (test / "constants.json", decision)
    )
    return {**part, **decided}


def _detections(
    found: "Outputs", truth: "Truth", constants: dict[str, Any], anchors: "Path | None"
) -> "list[Detections]":
    """Return the detections of each picture that count for the average precision."""
    import numpy as np

    from engine.stage import StageError
    from stages.detection.evaluation._average_precision import FLOOR
    from stages.tasks import detect

    values = found.values()
    if any(len(one) != len(truth) for one in values.values()):
        count = len(next(iter(values.values())))
        raise StageError(
            f"there are outputs for {count} pictures, but {len(truth)} pictures in the test part: "
            "run `infer` on this part"
        )
    own = np.load(anchors / detect.ANCHORS) if anchors else np.zeros((0, 4), np.float32)
    if len(own) and detect.BOXES in values:
        constants = detect.raw(constants)
    detect.check_outputs(found.tensors, constants, len(truth.labels), len(own))
    rows = ({name: one[at] for name, one in values.items()} for at in range(len(truth)))
    return [detect.found(row, constants, own, FLOOR) for row in rows]


def _metrics(
    found: "dict[str, Evaluation]",
    errors: "Errors",
    thresholds: "NDArray[np.float32]",
    difference: dict[str, Any],
) -> ScoreMetrics:
    """Return the metrics for the evaluations "int8", "build" (from the build machine) and, if there is
    one, "float".
    """
    from stages.detection.evaluation import _measures

    truth = found["int8"].truth
    boxes = int((~truth.ignored).sum())
    measured = _measures.all_of(found, errors, thresholds) if boxes else {}
    return ScoreMetrics(
        **measured,  # type: ignore[typeddict-item]
        test_pictures=float(len(truth)),
        test_boxes=float(boxes),
        detections=float(len(errors.shown)),
        outputs_differ=float(difference["outputs_differ"]),
        max_step_difference=float(difference["max_step_difference"]),
        reference_bit_equal=float(difference["reference_bit_equal"]),
    )


def _warn(metrics: ScoreMetrics, found: "Evaluation") -> None:
    """Emit notes about gaps in the test part and about figures that mean little."""
    labels = found.truth.labels
    if not metrics["test_boxes"]:
        note(
            "the model is unevaluated: the test part has no annotated object of its classes "
            f"({', '.join(labels)}), so its gates are not evaluated. To evaluate it, set "
            "assets.pictures to annotated pictures"
        )
        return
    untested = [label for at, label in enumerate(labels) if not found.wanted(at).any()]
    if untested:
        note(f"the test part has no object of {', '.join(untested)}: annotate pictures with them")
    if metrics["baseline_margin"] <= 0:
        note(
            f"a mAP@0.5 of {metrics['map50']:.4f} is no better than always answering the mean box of "
            f"the most frequent class ({metrics['baseline_map50']:.4f}): annotate more pictures"
        )


def _answers(
    test: "Path",
    each: "list[Detections]",
    truth: "Truth",
    thresholds: "NDArray[np.float32]",
) -> list[dict[str, Any]]:
    """Return the rows that the packaged model must answer for each raw item."""
    from stages.tasks import detect
    from stages.tflite import part

    answers = []
    for item in part.items(test):
        found = each[item.first]
        shown = found.at(found.scores >= thresholds[found.classes])
        objects = detect.objects(shown, truth.labels, tuple(truth.sizes[item.first]))
        answers.append({"file": item.path.name, "rows": detect.rows({"objects": objects})})
    return answers
