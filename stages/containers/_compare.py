"""Compares the outputs of images: reference kernels bit by bit, default kernels in quantisation
steps.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError

Outputs = dict[str, Any]  # what _inference.py writes


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much the default kernels' outputs differ; those of the reference kernels are equal."""

    default_max_steps: int  # compared with the expected outputs of the same runtime
    default_outputs_differ: int
    kernels_max_steps: int  # compared with the same image's reference kernels
    outputs: int  # tensors compared under the default kernels


def parse(content: bytes, what: str) -> Outputs:
    """Return the outputs; StageError if the text is not the output of a smoke test."""
    try:
        found = json.loads(content)
        for name, _, _, run in _runs(found):
            if not isinstance(run["seconds"], int | float) or not list(_tensors(run)):
                raise ValueError(name)
        if not runtimes(found):
            raise StageError(
                f"{what}: it contains no runtime; the image needs ai-edge-litert or tflite-runtime"
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise StageError(f"{what} are not the outputs of a smoke test") from None
    return dict(found)


def runtimes(found: Outputs) -> set[str]:
    """Return the runtimes that produced outputs."""
    return {runtime for _, runtime, _, _ in _runs(found)}


def compare(found: Outputs, expected: Outputs | None) -> Comparison:
    """Return how much the default kernels differ; raise StageError if the reference kernels differ at all.

    With the reference kernels, all runtimes and platforms agree, so all are compared with one set of
    outputs per model.
    """
    if expected is not None:
        _check_same_models(found, expected)
    differing = steps = kernels = outputs = 0
    for name, runtime, kind, run in _runs(found):
        tensors = list(_tensors(run))
        if kind == "reference":
            for where, other in _references(name, found, expected):
                if _differing(tensors, other):
                    raise StageError(
                        f"{name}: {runtime} with the reference kernels differs from "
                        f"{where}: the image computes wrong results"
                    )
            continue
        kernels = max(
            kernels,
            _steps(tensors, list(_tensors(found["models"][name]["runs"][runtime]["reference"]))),
        )
        theirs = expected["models"][name]["runs"].get(runtime) if expected is not None else None
        if theirs is not None:
            other = list(_tensors(theirs["default"]))
            differing, steps = (
                differing + _differing(tensors, other),
                max(steps, _steps(tensors, other)),
            )
            outputs += len(tensors)
    return Comparison(steps, differing, kernels, outputs)


def _check_same_models(found: Outputs, expected: Outputs) -> None:
    ours, theirs = (
        {name: model["sha256"] for name, model in each["models"].items()}
        for each in (found, expected)
    )
    if ours != theirs:
        odd = sorted(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
        raise StageError(f"the expected outputs belong to other models: {', '.join(odd)}")


def _references(
    name: str, found: Outputs, expected: Outputs | None
) -> Iterator[tuple[str, list[NDArray[Any]]]]:
    """Yield every set of reference outputs of the model, with its source."""
    for where, each in (("this image", found), ("what is expected", expected)):
        if each is not None:
            for runtime, runs in each["models"][name]["runs"].items():
                yield f"{where} with {runtime}", list(_tensors(runs["reference"]))


def _runs(found: Outputs) -> Iterator[tuple[str, str, str, Any]]:
    """Yield (model, runtime, kernels, run) in a fixed order."""
    for name, model in sorted(found["models"].items()):
        for runtime, kinds in sorted(model["runs"].items()):
            for kind in ("reference", "default"):
                yield name, runtime, kind, kinds[kind]


def _tensors(run: Any) -> Iterator[NDArray[Any]]:
    """Yield the outputs of all examples."""
    for example in run["outputs"]:
        for tensor in example:
            kind = np.dtype(tensor["type"]).newbyteorder("<")
            yield np.frombuffer(base64.b64decode(tensor["data"], validate=True), kind).reshape(
                tensor["shape"]
            )


def _differing(ours: list[NDArray[Any]], theirs: list[NDArray[Any]]) -> int:
    """Return how many tensors are not bit-equal."""
    pairs = sum(
        one.shape != other.shape or one.tobytes() != other.tobytes()
        for one, other in zip(ours, theirs, strict=False)
    )
    return pairs + abs(len(ours) - len(theirs))


def _steps(ours: list[NDArray[Any]], theirs: list[NDArray[Any]]) -> int:
    """Return the largest difference of two integer tensors, in steps; float tensors have none."""
    pairs = [
        (one, other)
        for one, other in zip(ours, theirs, strict=False)
        if one.dtype.kind in "iu" and one.shape == other.shape
    ]
    return max(
        (
            int(np.abs(one.astype(np.int64) - other.astype(np.int64)).max())
            for one, other in pairs
            if one.size
        ),
        default=0,
    )
