"""Measures the memory that a quantised network needs, with the converter's memory report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.imx500 import _converter, _largest, _memory_report, _toolkit


def measured(
    network: Path,
    role: str | None,
    layers: list[dict[str, Any]],
    input_persistency: bool,
    timeout_s: float,
) -> dict[str, Any]:
    """Return the report on a quantised network, a .keras file; layers: what each needs of the memory.

    StageError: the converter refused it.
    """
    with _converter.made(
        network, only_memory=True, input_persistency=input_persistency, timeout_s=timeout_s
    ) as made:
        if refused := _memory_report.unsupported(made.log, layers):
            raise StageError(_memory_report.said(refused))
        sizes = _memory_report.too_large(made.log, layers)
        if sizes is None:
            if made.status or not made.memory_report.is_file():
                raise StageError(_converter.failure(made))
            sizes = _memory_report.read(made.memory_report)
    found = {"measured": True, "why": None, "role": role, **sizes}
    found |= {"largest": _largest.largest(layers), "unsupported": [], "by": _toolkit.converter()}
    return {**found, "advice": _memory_report.advice(found)}
