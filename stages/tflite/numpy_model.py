"""Runs a fitted estimator, stored as arrays, with numpy: another form of model behind the same interface."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple

import numpy as np

from stages.estimators import archive
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT, OUTPUT = "row", "scores"


class NumpyModel:
    """An estimator in this process; float64 in and out, with the same bits on every processor."""

    accelerator, called = "cpu", "CPU"

    def __init__(self, path: Path) -> None:
        self._estimator = archive.read(path)
        self.runtime = f"numpy {np.__version__}"
        self.inputs = {INPUT: Tensor(INPUT, (1, self._estimator.features), "float64")}
        self.outputs = {OUTPUT: Tensor(OUTPUT, (1, self._estimator.outputs), "float64")}

    def invoke(self, tensors: Mapping[str, NDArray[Any]]) -> Tuple[Dict[str, NDArray[Any]], float]:
        start = time.perf_counter_ns()
        scores = self._estimator.predict(tensors[INPUT])
        return {OUTPUT: scores}, (time.perf_counter_ns() - start) / 1e6

    def peak_memory_mb(self) -> None:
        return None

    def close(self) -> None:
        """Do nothing: the garbage collector frees everything."""
