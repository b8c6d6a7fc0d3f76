"""Opens a package for the inference process, and describes it for those that have no model: a camera
process needs the task to draw its answers, but no runtime.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Mapping

from engine.stage import StageError
from stages import accelerator as accelerators
from stages.serving.interfaces import Column, Summary
from stages.tasks import task as tasks
from stages.tasks.package import MANIFEST, Package, open_package
from stages.tflite import roles
from stages.tflite.model import Model, Result
from stages.tflite.naming import names_in
from stages.tflite.schema import read_model
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.task import Task


def open_task(package: Path, accelerator: str, runtime: str, threads: int) -> Task:
    """Open the package with its models; threads: of a model on the CPU."""
    opened = dataclasses.replace(open_package(package), threads=threads)
    return tasks.of_package(opened, accelerator, runtime)


def describe(package: Path) -> Task:
    """Return the task without a runtime: it can draw, but not answer."""
    opened = open_package(package)
    fields = {one.name: getattr(opened, one.name) for one in dataclasses.fields(opened)}
    return tasks.of_package(_Closed(**fields), "none", "any")


def is_present(accelerator: str) -> bool:
    """Return whether the accelerator seems to be usable, without opening it."""
    found = accelerators.of(accelerator)
    return found is not None and found.obstacle() is None


def obstacle(accelerator: str) -> str:
    """Return a sentence that says why the CPU answers instead."""
    found = accelerators.of(accelerator)
    if found is None:
        return f"TFLite cannot use the accelerator '{accelerator}'"
    why = found.obstacle()
    if why and not found.LOOKED_FOR:  # none is ever used, whatever this machine has
        return why
    return f"no {found.TITLE} is usable: {why}" if why else f"the {found.TITLE} could not be opened"


def summary(package: Path, task: Task) -> Summary:
    """Return what the page shows of the package; `sources` is still empty."""
    opened = open_package(package)
    manifest = json.loads((package / MANIFEST).read_text(encoding="utf-8"))
    return Summary(
        task=opened.task,
        takes=task.takes,
        name=str(manifest.get("name", opened.task)),
        version=_version(manifest),
        labels=list(opened.labels),
        sources=[],
        columns=_columns(opened) if task.takes == "rows" else [],
    )


def _columns(package: Package) -> List[Column]:
    """Return the columns that a row should have."""
    from stages.tasks.columns import schema

    return [
        Column(
            name=one.name,
            kind=one.type,
            values=[text for feature in one.features[:1] for text in feature.categories],
        )
        for one in schema.read(package.data(schema.FILE)).used
    ]


def _version(manifest: Mapping[str, Any]) -> str:
    """Return the version in the manifest, or else the beginning of the digest of all its files."""
    import hashlib

    if isinstance(manifest.get("version"), (str, int)):
        return str(manifest["version"])
    files = json.dumps(manifest.get("files", {}), sort_keys=True)
    return hashlib.sha256(files.encode()).hexdigest()[:12]


class _Closed(Package):
    """A package whose models are described by their files, and cannot be run."""

    def open_role(
        self, role: str, accelerator: str, runtime: str, threads: "int | None" = None
    ) -> Model:
        if role not in self.models:
            return super().open_role(role, "none", runtime)  # raises
        path, _ = roles.runnable(self.models[role])
        return super().open_role(role, "none", runtime) if roles.is_arrays(path) else _model(path)


def _model(path: Path) -> Model:
    return Model(_Description(path))


class _Description:
    """The tensors of a model file."""

    runtime, accelerator, called = "no runtime", "cpu", "CPU"

    def __init__(self, path: Path) -> None:
        names, graph = names_in(path), read_model(path).subgraphs[0]
        self.inputs, self.outputs = (
            {name: _tensor(name, graph.tensors[at]) for name, at in zip(called, places)}
            for called, places in ((names.inputs, graph.inputs), (names.outputs, graph.outputs))
        )

    def invoke(self, tensors: Mapping[str, NDArray[Any]]) -> Result:
        raise StageError("the model is described, and not open")

    def peak_memory_mb(self) -> None:
        return None

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _tensor(name: str, found: Any) -> Tensor:
    is_scaled = bool(found.scales) and found.type != "FLOAT32"
    scale = float(found.scales[0]) if is_scaled else 0.0
    zero_point = int(found.zero_points[0]) if is_scaled and found.zero_points else 0
    return Tensor(
        name, tuple(int(size) for size in found.shape), found.type.lower(), scale, zero_point
    )
