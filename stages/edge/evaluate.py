"""The stage that measures the float and the int8 model on the test part, with the target's runtime."""

from statistics import mean
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from engine.stage import In, Out, note, progress, taken
from engine.stage.figures import confusion_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.edge._runtime import Model
    from stages.edge._test_part import Part


class EvaluateMetrics(TypedDict):
    """accuracy, f1_macro (of the classes that the test part has) and correct are the int8 model's
    where this stage runs; accuracy_drop is float minus int8; shares are 0 to 1.

    With a reference: accuracy_build is the build machine's, accuracy_delta is accuracy minus that
    one; outputs_differ counts the examples with another raw output than there, max_step_difference
    is the farthest in quantisation steps; reference_bit_equal is 1 where the reference kernels give
    the same bytes on both.
    """

    accuracy: float
    float_accuracy: float
    accuracy_drop: float
    f1_macro: float
    correct: float
    test_examples: float
    majority_baseline: float
    accuracy_build: NotRequired[float]
    accuracy_delta: NotRequired[float]
    outputs_differ: NotRequired[float]
    max_step_difference: NotRequired[float]
    reference_bit_equal: NotRequired[float]


def evaluate(
    dataset: In,
    int8_model: In,
    float_model: In,
    report: Out,
    compiled_model: In | None = None,
    reference: In | None = None,
    *,
    runtime: str = "litert",
    accelerator: str = "none",
) -> EvaluateMetrics:
    """Compare both models with the truth and with the build machine's outputs.

    Examples that belong to clips are judged clip by clip.

    dataset: x_test.npy float32 (examples, ...), y_test.npy int64 (examples,), dataset.json with labels, and,
             where several examples are windows of one clip, clip_test.npy int64 (examples,): their scores are
             averaged
    compiled_model: the int8 model for the Edge TPU, which is taken where the accelerator can be used
    reference: what the stage `reference` wrote
    report:  JSON: accuracy and F1 of each class, confusion matrix, runtime, accelerator, where it was taken,
             difference

    StageError: nothing to test with; a reference of another model or data set.
    """
    import json

    from stages.edge import _test_part
    from stages.edge._runtime import open_model, open_on

    test = _test_part.read(dataset)
    int8, floating = (
        open_on(accelerator, int8_model, compiled_model, runtime),
        open_model(float_model, runtime),
    )
    note(f"evaluated with {int8.runtime} on the {int8.called}")
    progress(0, 2, "int8 model")
    outputs = int8.outputs(test.x)
    progress(1, 2, "float model")
    float_accuracy = test.accuracy(floating.scores(test.x))
    matrix = test.confusion(int8.dequantised(outputs))
    confusion_matrix("int8", test.labels, matrix.tolist())
    metrics = _metrics(matrix, float_accuracy)
    about = {
        "runtime": int8.runtime,
        "accelerator": int8.accelerator,
        "taken": taken(),
        **metrics,
        **_classes(test.labels, matrix),
    }
    if reference:
        compared = _compared(reference, int8_model, runtime, test, int8, outputs)
        metrics |= compared
        about["difference"] = compared
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return metrics


def _compared(
    reference: In,
    int8_model: In,
    runtime: str,
    test: "Part",
    int8: "Model",
    outputs: "NDArray[Any]",
) -> dict[str, float]:
    """Return the metrics that say how the outputs differ from the build machine's, and tell the run
    in a sentence.
    """
    from stages.edge import _reference
    from stages.edge._runtime import open_model

    there = _reference.read(reference, int8_model, len(test.x))
    difference = there.against(
        outputs, open_model(int8_model, runtime, kernels="reference").outputs(test.x[there.chosen])
    )
    here, build = (test.accuracy(int8.dequantised(raw)) for raw in (outputs, there.default))
    note(
        f"accuracy {here:.4f}, {here - build:+.4f} to {there.machine} with {there.runtime}: {difference}"
    )
    return {
        "accuracy_build": build,
        "accuracy_delta": here - build,
        "outputs_differ": float(difference.outputs_differ),
        "max_step_difference": float(difference.max_step_difference),
        "reference_bit_equal": float(difference.reference_bit_equal),
    }


def _metrics(matrix: "NDArray[np.int64]", float_accuracy: float) -> EvaluateMetrics:
    from stages.edge._test_part import f1

    tested = matrix.sum(1)  # (classes,)
    accuracy = float(matrix.trace() / matrix.sum())
    return EvaluateMetrics(
        accuracy=accuracy,
        float_accuracy=float_accuracy,
        accuracy_drop=float_accuracy - accuracy,
        f1_macro=mean(value for value, count in zip(f1(matrix), tested, strict=True) if count),
        correct=float(matrix.trace()),
        test_examples=float(matrix.sum()),
        majority_baseline=float(tested.max() / matrix.sum()),
    )


def _classes(labels: list[str], matrix: "NDArray[np.int64]") -> dict[str, Any]:
    from stages.edge._test_part import f1

    classes = {
        label: {"f1": score, "examples": int(row.sum())}
        for label, score, row in zip(labels, f1(matrix), matrix, strict=True)
    }
    return {"labels": labels, "confusion_matrix": matrix.tolist(), "classes": classes}
