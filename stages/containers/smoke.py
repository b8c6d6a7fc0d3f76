"""Proves that an image works: runs reference models in it, and compares the outputs bit by bit."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range
from engine.stage.platforms import PLATFORMS
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from stages.containers._layout import Image


class SmokeMetrics(TypedDict):
    """reference_bit_equal is 1; otherwise the stage fails. default_max_steps and default_outputs_differ
    compare with the expected outputs of the same runtime's default kernels, kernels_max_steps with the
    image's own reference kernels. Steps are quantisation steps; an output is one tensor for one example.
    `outputs` is the number compared with expected ones; if it is 0, it and both default_ metrics are
    left out.
    seconds is the time of the slowest model with the default kernels.
    """

    reference_bit_equal: float
    default_max_steps: NotRequired[float]
    default_outputs_differ: NotRequired[float]
    kernels_max_steps: float
    outputs: NotRequired[float]
    models: float
    runtimes: float
    seconds: float
    is_emulated: float


def smoke(
    archive: In,
    models: In,
    outputs: Annotated[Out, Suffix(".json")],
    expected: In | None = None,
    *,
    platform: str,
    imports: list[str] | None = None,
    examples: Annotated[int, Range(ge=1)] = 2,
    memory_mb: Annotated[int, Range(ge=1)] = 2048,
    timeout_s: Annotated[int, Range(ge=1)] = 900,
) -> SmokeMetrics:
    """Run every .tflite file of a folder in the image, with each of its runtimes, and write the outputs.

    archive:  an OCI image layout in one tar, which Docker can load
    expected: the `outputs` of the same models on another platform; without it, the image's runtimes
              are compared with one another
    outputs:  JSON: image, platform, where it was measured, versions, and the seconds and tensors per
              model, runtime and kernels
    platform:  of the image: linux/amd64, linux/arm64 or linux/arm/v7
    imports:   Python modules whose import in the image is timed
    examples:  inferences of each model with each runtime
    memory_mb: limit of the container, in megabytes
    timeout_s: limit of the container, in seconds

    The container has no network, no capabilities, an ordinary user and a read-only root. With the
    reference kernels, every output must be bit-equal; the default kernels round differently on x86
    and ARM, which is measured but not a failure. StageError: the image is for another platform than
    its label says, cannot run, or computes different outputs.
    """
    import json

    from stages.containers import _compare, _layout
    from stages.containers._platform import platform_of

    image, platform = _layout.read(archive), platform_of(platform).name
    _check_platform(image, platform)
    contents = {path.name: path.read_bytes() for path in sorted(models.glob("*.tflite"))}
    if not contents:
        raise StageError("the folder of reference models has no .tflite file")
    wanted = _compare.parse(expected.read_bytes(), "the expected outputs") if expected else None
    progress(0, 1, f"{len(contents)} models on {platform}")
    raw, is_emulated = _compute(
        image, contents, [str(examples), *(imports or [])], memory_mb, timeout_s
    )
    found = _compare.parse(raw, "what the image computed")
    measured_on = f"emulated (qemu), {platform}" if is_emulated else platform
    outputs.write_text(
        json.dumps(
            {**found, "image": image.digest, "platform": platform, "measured_on": measured_on},
            indent=1,
        ),
        encoding="utf-8",
    )
    result = _compare.compare(found, wanted)
    _note_results(found, measured_on, wanted is not None)
    slowest = max(
        run["default"]["seconds"]
        for model in found["models"].values()
        for run in model["runs"].values()
    )
    metrics = SmokeMetrics(
        reference_bit_equal=1.0,
        kernels_max_steps=float(result.kernels_max_steps),
        models=float(len(found["models"])),
        runtimes=float(len(_compare.runtimes(found))),
        seconds=float(slowest),
        is_emulated=float(is_emulated),
    )
    if result.outputs:
        metrics["default_max_steps"] = float(result.default_max_steps)
        metrics["default_outputs_differ"] = float(result.default_outputs_differ)
        metrics["outputs"] = float(result.outputs)
    return metrics


def _compute(
    image: "Image", contents: dict[str, bytes], words: list[str], memory_mb: int, timeout_s: int
) -> tuple[bytes, bool]:
    """Return the output of the script in the image, and whether the image's processor was emulated."""
    from pathlib import Path

    from stages.containers import _inference, _sandbox

    script = Path(_inference.__file__)
    with _sandbox.engine() as client, _sandbox.loaded(client, image) as name:
        argv = ["python3", f"{_sandbox.FOLDER}/{script.name}", _sandbox.FOLDER, *words]
        files = {**contents, **_sources(), script.name: script.read_bytes()}
        written = _sandbox.run(
            client,
            image,
            name,
            argv,
            files,
            "outputs.json",
            memory_mb=memory_mb,
            timeout_s=timeout_s,
        )
        return written, _sandbox.is_emulated(client, image)


def _sources() -> dict[str, bytes]:
    """Return the project files that the script imports, by path relative to the script."""
    from pathlib import Path

    from engine import stage
    from stages import estimators, tflite

    found = {}
    for package in (stage, estimators, tflite):
        folder = Path(str(package.__file__)).parent
        root = folder.parents[1]
        for path in [folder.parent / "__init__.py", *sorted(folder.glob("*.py"))]:
            found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


def _check_platform(image: "Image", platform: str) -> None:
    """Refuse an image whose label or Python is for another platform; the label alone is not enough."""
    import re

    from stages.containers import _layout

    if image.platform != platform:
        raise StageError(f"the image's label says {image.platform}, not {platform}")
    pythons = _layout.files(image, re.compile(r"(usr/(local/)?)?bin(/python3[.\d]*)?"), head=20)
    head = next(
        (
            head
            for place in ("usr/local/bin", "usr/bin", "bin")
            if (head := _layout.follow(pythons, f"{place}/python3"))
        ),
        None,
    )
    if head is None:
        raise StageError("the image has no python3 in usr/local/bin, usr/bin or bin")
    found = (
        (head[4], int.from_bytes(head[18:20], "little"))
        if head.startswith(b"\x7fELF") and len(head) == 20
        else None
    )
    names = {
        (one.elf_class, one.elf_machine): one.oci["architecture"] for one in PLATFORMS.values()
    }
    if names.get(found) != image.config["architecture"]:
        raise StageError(
            f"the image's label says {platform}, but its python3 is "
            f"{f'for {names[found]}' if found in names else 'not a program for it'}"
        )


def _note_results(found: dict[str, Any], measured_on: str, is_compared: bool) -> None:
    names = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    note(f"measured on {measured_on}: {names}")
    for module, seconds in found.get("imports", {}).items():
        note(f"import {module}: {seconds} s on {measured_on}")
    if not is_compared:
        note("no expected outputs were given; compared the image's runtimes with each other")
