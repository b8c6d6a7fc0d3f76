"""Raw outputs of a model for the examples of a part: one `.npy` per tensor, and their provenance."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.tflite.model import Model
from stages.tflite.part import Part
from stages.tflite.quantisation import dequantise
from stages.tflite.tensor import Tensor


class Described(Protocol):
    """A model whose outputs are described by name, such as an open one."""

    outputs: "dict[str, Tensor]"


@dataclass(frozen=True)
class Outputs:
    """Raw outputs by tensor name, each (examples, ...), and facts about the run."""

    raw: "dict[str, NDArray[Any]]"
    tensors: "dict[str, Tensor]"
    about: "dict[str, Any]"  # runtime, machine, model_sha256; for `infer` also where it ran

    def values(self) -> "dict[str, NDArray[np.float32]]":
        """Return the outputs as values: x = (q - zero point) * scale."""
        return {name: dequantise(raw, self.tensors[name]) for name, raw in self.raw.items()}


def run(
    model: Model, part: Part, chosen: "Optional[NDArray[np.int64]]" = None
) -> "Dict[str, NDArray[Any]]":
    """Return the raw outputs for all examples of a part, or the chosen ones, each (examples, ...)."""
    examples = part.for_inputs(model.inputs)
    if chosen is not None:
        examples = {name: values[chosen] for name, values in examples.items()}
    return model.raw_outputs(examples)


def write(
    folder: Path, raw: "Mapping[str, NDArray[Any]]", model: Described, about: "Mapping[str, Any]"
) -> None:
    """Write these outputs to a new folder."""
    folder.mkdir(parents=True)
    files = {name: f"{at:02}.npy" for at, name in enumerate(raw)}  # names may contain a slash
    for name, values in raw.items():
        np.save(folder / files[name], values, allow_pickle=False)
    tensors = {name: {**asdict(model.outputs[name]), "file": files[name]} for name in raw}
    text = json.dumps({**about, "tensors": tensors}, indent=1) + "\n"
    (folder / "outputs.json").write_text(text, encoding="utf-8")


def read(folder: Path) -> Outputs:
    """Return the outputs that `write` wrote."""
    about = json.loads((folder / "outputs.json").read_text(encoding="utf-8"))
    described = about.pop("tensors")
    raw = {
        name: np.load(folder / entry.pop("file"), allow_pickle=False)
        for name, entry in described.items()
    }
    tensors = {
        name: Tensor(**{**entry, "shape": tuple(entry["shape"])})
        for name, entry in described.items()
    }
    return Outputs(raw, tensors, about)


def forms(outputs: Path, reference: Path) -> "Dict[str, Outputs]":
    """Return what the packed model answered on the target (int8) and on the build machine (build), and the
    original's answers (float) if that is another model.

    outputs: what `infer` wrote; reference: what `reference` wrote
    """
    found = {"int8": read(outputs), "build": read(reference / "default")}
    original = read(reference / "float")
    if original.about["model_sha256"] != found["build"].about["model_sha256"]:
        found["float"] = original
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
