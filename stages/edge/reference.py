"""The stage that runs the int8 model on the build machine, to compare the target's outputs with."""

from typing import TypedDict

from engine.stage import In, Out, StageError, note, progress


class ReferenceMetrics(TypedDict):
    """How many test examples were run with the default kernels, and with the reference kernels."""

    examples: float
    reference_examples: float


def reference(
    dataset: In,
    int8_model: In,
    outputs: Out,
    *,
    runtime: str = "litert",
    reference_examples: int = 16,
) -> ReferenceMetrics:
    """Run the int8 model on the test part with the target's runtime.

    The default kernels run on all of it, the reference kernels on some.

    The default kernels differ between x86 and ARM by some quantisation steps; the reference kernels
    are the same to the bit on every platform, and slow, above all under emulation: so only a few
    examples are run with them, spread over the test part.

    dataset: x_test.npy float32 (examples, ...)
    outputs: default.npy and reference.npy, raw outputs int8 (examples, classes); chosen.npy int64, which
             examples reference.npy is of; reference.json: runtime, machine, and the model's sha256

    StageError: nothing to run.
    """
    import hashlib
    import json
    import platform

    import numpy as np

    from stages.edge._runtime import open_model

    x = np.load(dataset / "x_test.npy")
    if not len(x) or reference_examples < 1:
        raise StageError(
            "there is nothing to run: the test part is empty, or reference_examples is below 1"
        )
    chosen = np.unique(np.linspace(0, len(x) - 1, min(reference_examples, len(x))).astype(np.int64))
    outputs.mkdir()
    for at, (kernels, examples) in enumerate((("default", x), ("reference", x[chosen]))):
        progress(at, 2, f"{kernels} kernels")
        model = open_model(int8_model, runtime, kernels=kernels)
        np.save(outputs / f"{kernels}.npy", model.outputs(examples))
    note(f"run with {model.runtime} on {platform.machine()}, for the target to be compared with")
    np.save(outputs / "chosen.npy", chosen)
    about = {
        "runtime": model.runtime,
        "machine": platform.machine(),
        "model_sha256": hashlib.sha256(int8_model.read_bytes()).hexdigest(),
    }
    (outputs / "reference.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return ReferenceMetrics(examples=float(len(x)), reference_examples=float(len(chosen)))
