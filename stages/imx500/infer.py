"""Runs the quantised network on the test part, in place of the AI Camera, for any task's score."""

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from engine.stage import In, Out, measured_on, measuring_on, note

if TYPE_CHECKING:
    from pathlib import Path

    from stages.imx500._quantised import About
    from stages.tflite.outputs import Outputs

OPTIONAL = ("model_compression_toolkit", "tensorflow")
OF_THE_CAMERA = "with the camera's network"  # which network a figure belongs to, after its place
OF_THE_CPU = "with the CPU's model"


class InferMetrics(TypedDict):
    """simulated: 1 if the outputs are those of the camera's quantised network, computed here; 0 if they
    are those of the packaged model. examples: how many.

    outputs_differ: the examples whose output differs from the float model's; max_difference: the
    largest difference, in the output's unit.
    """

    simulated: float
    examples: NotRequired[float]
    outputs_differ: NotRequired[float]
    max_difference: NotRequired[float]


def infer(
    test: In,
    quantised: In,
    made: In,
    reference: In,
    outputs: Out,
) -> InferMetrics:
    """Run the network that Sony's toolkit quantised: the same arithmetic as the camera's, without it.

    test:      a part with the network's pictures
    quantised: what stages.imx500.quantise wrote
    made:      what stages.edge.infer wrote on the target, which passes through if no network was
               quantised, or another role's outputs are scored
    reference: what stages.edge.reference wrote: the outputs of the float model
    outputs:   as stages.edge.infer writes them: a float32 .npy (examples, ...) for each output, and
               outputs.json, whose place of measurement names the network: the camera's, which is
               labelled as simulated, or the CPU's, unless that ran on the device
    StageError: the test part has other pictures.
    """
    from stages.imx500 import _quantised, _toolkit
    from stages.tflite import outputs as raw_outputs

    about = _quantised.read(quantised)
    packaged = raw_outputs.read(made)
    why = about.why or _toolkit.without_toolkit()
    if not why and packaged.about["role"] != about.role:
        why = f"the outputs of the role '{packaged.about['role']}' are scored"
    if why:
        note(f"scoring the model for the CPU, not a network in the camera: {why}")
        _pass_through(made, outputs)
        return InferMetrics(simulated=0.0)
    raw = _run(test, quantised / _quantised.NETWORK, about)
    difference = _difference(raw, raw_outputs.read(reference / "float"), packaged)
    _write(outputs, raw, about, packaged, difference)
    note(
        f"ran the camera's network with {_toolkit.quantiser()}, simulated here; its outputs differ "
        f"from the float model's by up to {difference['max_step_difference']:.3g}"
    )
    return InferMetrics(
        simulated=1.0,
        examples=float(difference["examples"]),
        outputs_differ=float(difference["outputs_differ"]),
        max_difference=difference["max_step_difference"],
    )


def _pass_through(made: "Path", to: "Path") -> None:
    """Copy the packaged model's outputs, and add to their place of measurement that they are its own."""
    import json
    import shutil

    shutil.copytree(made, to, copy_function=shutil.copyfile)
    path = to / "outputs.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    where = about["measured_on"]
    if where == "device":  # the word by which runs recognise what was measured there
        return
    about["measured_on"] = f"{where} {OF_THE_CPU}"
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _run(test: "Path", network: "Path", about: "About") -> dict[str, Any]:
    """Return the outputs by our names, each (examples, ...), float32."""
    from engine.stage import StageError
    from stages.imx500 import _pictures, _ptq

    pictures = _pictures.stored(test)
    model = _ptq.load(network)
    shape = tuple(model.input_shape[1:])
    if pictures is None or pictures.shape[1:] != shape:
        raise StageError(
            f"the camera's network needs pictures of {list(shape)}, but the test part has none: use "
            "the data set that it was trained with"
        )
    made = _ptq.outputs_of(model, pictures)
    return dict(zip(about.outputs, made, strict=True))


def _difference(raw: dict[str, Any], there: "Outputs", packaged: "Outputs") -> dict[str, Any]:
    """Return how far the outputs are from the float model's; what concerns the reference kernels is the
    packaged model's.
    """
    import numpy as np

    values = there.values()
    shared = [name for name in raw if name in values and values[name].shape == raw[name].shape]
    steps = [
        np.abs(raw[name] - values[name]).reshape(len(raw[name]), -1).max(axis=1) for name in shared
    ]
    largest = np.max(steps, axis=0) if steps else np.zeros(len(next(iter(raw.values()))))
    carried = packaged.about.get("difference", {})
    return {
        "examples": len(largest),
        "outputs_differ": int((largest > 0).sum()),
        "max_step_difference": float(largest.max()),
        "reference_examples": carried.get("reference_examples", 0),
        "reference_bit_equal": carried.get("reference_bit_equal", False),
        "machine": there.about["machine"],
        "runtime": there.about["runtime"],
    }


def _write(
    folder: "Path",
    raw: dict[str, Any],
    about: "About",
    packaged: "Outputs",
    difference: dict[str, Any],
) -> None:
    import platform
    from types import SimpleNamespace

    from stages.imx500 import _toolkit
    from stages.tflite import outputs as raw_outputs
    from stages.tflite.tensor import Tensor

    here = measuring_on()
    where = here if "simulated" in here else f"simulated on {here}"
    described = {
        name: Tensor(name, (1, *values.shape[1:]), "float32") for name, values in raw.items()
    }
    facts = {
        "role": about.role,
        "runtime": _toolkit.quantiser(),
        "accelerator": "imx500",
        "measured_on": f"{where} {OF_THE_CAMERA}",
        "machine": platform.machine(),
        "model_sha256": packaged.about["model_sha256"],
        "difference": difference,
    }
    raw_outputs.write(folder, raw, SimpleNamespace(outputs=described), facts)
    measured_on(facts["measured_on"])
