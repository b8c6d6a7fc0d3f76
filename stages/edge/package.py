"""The stage that packs a model with all that a device needs to use it, each file named by its
sha256.
"""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out

if TYPE_CHECKING:
    from pathlib import Path


class PackageMetrics(TypedDict):
    """How many files the package has, and their bytes."""

    files: float
    size_bytes: float


def package(
    int8_model: In,
    dataset: In,
    evaluation: In,
    benchmark: In,
    package: Out,
    pose_model: In | None = None,
    compiled_model: In | None = None,
    compiler_log: In | None = None,
    *,
    name: str = "model",
    description: str = "",
    target: str = "",
    runtime: str = "litert",
) -> PackageMetrics:
    """Pack the models, labels.txt, preprocessing.json, model_card.md and manifest.json.

    The models are model.tflite, and pose_model.tflite if there is one.

    A model that the Edge TPU's compiler has taken is packed beside the int8 one, as
    model_edgetpu.tflite: a device whose Edge TPU is away still has a model to run.
    preprocessing.json is what the training used, with the scale and zero point of input and output:
    q = x / scale + zero. Nothing in the package depends on the time: same inputs, same bytes.
    """
    import json
    import shutil

    from stages.edge._delegate import is_compiled
    from stages.edge._runtime import open_model, quantisation

    about = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
    figures = json.loads(evaluation.read_text(encoding="utf-8"))
    cost = json.loads(benchmark.read_text(encoding="utf-8"))
    package.mkdir()
    shutil.copyfile(int8_model, package / "model.tflite")
    if compiled_model and is_compiled(compiled_model):
        shutil.copyfile(compiled_model, package / "model_edgetpu.tflite")
    if pose_model:
        shutil.copyfile(pose_model, package / "pose_model.tflite")
    model = open_model(int8_model)
    constants = {
        **about["preprocessing"],
        "input": quantisation(model.input),
        "output": quantisation(model.output),
    }
    (package / "preprocessing.json").write_text(json.dumps(constants, indent=1), encoding="utf-8")
    (package / "labels.txt").write_text(
        "".join(f"{label}\n" for label in about["labels"]), encoding="utf-8"
    )
    (package / "model_card.md").write_text(
        _card(name, description, target, runtime, about, figures, cost, _compiled(compiler_log)),
        encoding="utf-8",
    )
    manifest = {
        "v": 1,
        "name": name,
        "target": target,
        "runtime": runtime,
        "files": _manifest(package),
    }
    (package / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    sizes = [path.stat().st_size for path in package.iterdir()]
    return PackageMetrics(files=float(len(sizes)), size_bytes=float(sum(sizes)))


def _manifest(folder: "Path") -> dict[str, dict[str, Any]]:
    import hashlib

    return {
        p.name: {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size}
        for p in sorted(folder.iterdir())
    }


def _card(
    name: str,
    description: str,
    target: str,
    runtime: str,
    about: dict[str, Any],
    figures: dict[str, Any],
    cost: dict[str, Any],
    compiled: str,
) -> str:
    rows = "\n".join(
        f"| {label} | {row['f1']:.3f} | {row['examples']} |"
        for label, row in figures["classes"].items()
    )
    counts = ", ".join(
        f"{split} {sum(clips.values())}" for split, clips in about.get("clips", {}).items()
    )
    accuracy = f"{figures['accuracy']:.4f} (int8), {figures['float_accuracy']:.4f} (float)"
    return f"""# {name}

{description}

- Made for: {target or "any target"}, {runtime}
- Classes: {", ".join(about["labels"])}
- Clips: {counts or "not counted"}
- Accuracy on the test part: {accuracy}, {_taken(figures)}
- One inference: {cost["latency_median_ms"]:.3g} ms (median), {_taken(cost)}
- Size: {cost["model_size_bytes"]:,.0f} bytes
- Edge TPU: {compiled}

| class | F1 | test examples |
| --- | --- | --- |
{rows}

The model knows these classes only and names one of them for whatever it sees; it was tested on people and
cameras like those of its data set, not on others.
"""


def _compiled(compiler_log: "Path | None") -> str:
    """Say what the compiler made of the model."""
    import json

    log = (
        json.loads(compiler_log.read_text(encoding="utf-8"))
        if compiler_log
        else {"compiled": False}
    )
    if not log["compiled"]:
        return "not compiled"
    return (
        f"{log['on_edgetpu']} of {log['operations']} operators, as edgetpu_compiler "
        f"{log['version']} mapped them"
    )


def _taken(figures: dict[str, Any]) -> str:
    """Say with what figures were taken and where, without which they mean little."""
    worker = "Edge TPU" if figures["accelerator"] == "edgetpu" else "CPU"
    return (
        f"with {figures['runtime']} on the {worker}, "
        f"{figures['taken'] if figures['taken'] != 'device' else 'on the device'}"
    )
