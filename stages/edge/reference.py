"""Runs a model on the build machine, as the reference for the target's outputs."""

from typing import Annotated, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range


class ReferenceMetrics(TypedDict):
    """The number of test examples, with the default kernels and with the reference kernels."""

    examples: float
    reference_examples: float


def reference(
    test: In,
    models: In,
    outputs: Out,
    *,
    role: str = "model",
    runtime: str = "litert",
    reference_examples: Annotated[int, Range(ge=1)] = 16,
) -> ReferenceMetrics:
    """Run a role's int8 and float model on the test part with the target's runtime.

    The default kernels differ between x86 and ARM by some quantisation steps. The reference kernels
    are bit-equal on every platform but slow, especially under emulation, so only a few examples,
    spread over the test part, run with them.

    test:    a part with the model's input tensors
    models:  <role>/int8.tflite and <role>/float.tflite; if one is missing, the other replaces it
    outputs: default/ and float/, the raw outputs of all examples; reference/, those of the examples
             in chosen.npy (int64) with the reference kernels
    role:               the role of the model to run
    runtime:            of the target: litert or tflite_runtime
    reference_examples: the number of examples that also run with the reference kernels
    StageError: an empty test part, an unknown role, reference_examples below 1.
    """
    import platform
    import shutil

    import numpy as np

    from stages.tflite import outputs as raw_outputs
    from stages.tflite import part, roles
    from stages.tflite.model import open_model

    test_part = part.read(test)
    if reference_examples < 1:
        raise StageError(f"reference_examples is {reference_examples}: give 1 or more")
    forms = roles.of_role(models, role)
    int8, _ = roles.runnable(forms)
    count = min(reference_examples, test_part.examples)
    chosen = np.unique(np.linspace(0, test_part.examples - 1, count).astype(np.int64))
    runs = [("default", int8, "default", None), ("reference", int8, "reference", chosen)]
    if "float" in forms and forms["float"] != int8:
        runs.append(("float", forms["float"], "default", None))
    for name, path, kernels, examples in runs:
        model = open_model(path, runtime, kernels=kernels)
        about = {
            "runtime": model.runtime,
            "machine": platform.machine(),
            "model_sha256": raw_outputs.sha256(path),
        }
        made = raw_outputs.run(model, test_part, examples)
        raw_outputs.write(outputs / name, made, model, about)
    if not (outputs / "float").exists():  # the only form is the reference for itself
        shutil.copytree(outputs / "default", outputs / "float")
    np.save(outputs / "chosen.npy", chosen)
    note(f"ran with {model.runtime} on {platform.machine()}, as the reference for the target")
    return ReferenceMetrics(
        examples=float(test_part.examples), reference_examples=float(len(chosen))
    )
