"""Runs a model on the test part on its target, and writes the raw outputs for any task."""

from typing import TYPE_CHECKING, NotRequired, TypedDict

from engine.stage import In, Out, measuring_on, note

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from stages.edge._difference import Difference
    from stages.tflite.part import Part

LOADS = {"accelerator": "stages.accelerators"}


class InferMetrics(TypedDict):
    """The number of examples, and whether they ran on the accelerator (1) or the CPU (0).

    With a reference: outputs_differ counts the examples whose raw output differs from the build
    machine's, max_step_difference is the largest difference in quantisation steps, and
    reference_bit_equal is 1 if the reference kernels give the same bytes on both.
    """

    examples: float
    on_accelerator: float
    outputs_differ: NotRequired[float]
    max_step_difference: NotRequired[float]
    reference_bit_equal: NotRequired[float]


def infer(
    test: In,
    models: In,
    outputs: Out,
    compiled: In | None = None,
    reference: In | None = None,
    *,
    role: str = "model",
    runtime: str = "litert",
    accelerator: str = "none",
) -> InferMetrics:
    """Run a role's model on the test part, on the accelerator if it is usable.

    test:      a part with the model's input tensors
    models:    <role>/int8.tflite; compiled: the same with the accelerator's form, which takes precedence
    reference: the output of the stage `reference`
    outputs:   a .npy of raw outputs (examples, ...) for each tensor, and outputs.json: type, scale
               and zero point by name, runtime, accelerator, where it was measured, the difference
    role:        the role of the model to run
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or the name of a file in stages/accelerators
    StageError: an empty test part, an unknown role, a reference for another model or part.
    """
    import platform

    from stages.accelerator import open_on
    from stages.tflite import outputs as raw_outputs
    from stages.tflite import part, roles

    test_part = part.read(test)
    int8, twin = roles.runnable(roles.of_role(compiled or models, role), accelerator)
    model = open_on(accelerator, int8, twin, runtime)
    note(f"ran with {model.runtime} on the {model.called}")
    raw = raw_outputs.run(model, test_part)
    metrics = InferMetrics(
        examples=float(test_part.examples), on_accelerator=float(model.accelerator != "cpu")
    )
    about = {
        "role": role,
        "runtime": model.runtime,
        "accelerator": model.accelerator,
        "measured_on": measuring_on(),
        "machine": platform.machine(),
        "model_sha256": raw_outputs.sha256(int8),
    }
    if reference:
        found = _compared(reference, int8, runtime, test_part, raw)
        metrics["outputs_differ"] = float(found.outputs_differ)
        metrics["max_step_difference"] = found.max_step_difference
        metrics["reference_bit_equal"] = float(found.reference_bit_equal)
        about["difference"] = found.as_json()
        note(f"compared with {found.machine} and {found.runtime}: {found}")
    raw_outputs.write(outputs, raw, model, about)
    return metrics


def _compared(
    reference: "Path", int8: "Path", runtime: str, test: "Part", raw: "dict[str, Any]"
) -> "Difference":
    from stages.edge import _difference
    from stages.tflite import outputs as raw_outputs
    from stages.tflite.model import open_model

    there = _difference.read(reference, raw_outputs.sha256(int8), test.examples)
    plain = open_model(int8, runtime, kernels="reference")
    return there.against(raw, raw_outputs.run(plain, test, there.chosen))
