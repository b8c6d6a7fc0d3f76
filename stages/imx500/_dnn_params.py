"""Reads dnnParams.xml, in which Sony's converter describes the tensors of a network in the camera.

A tensor's value is (number - zero point) * scale: a signed one has numbers from -128, an unsigned one
from 0. `shift` is the zero point. Dimensions are listed in the order of the array, without a batch.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.stage import StageError


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network in the camera."""

    name: str  # the converter's
    shape: tuple[int, ...]  # without a batch
    scale: float
    zero_point: int
    bits: int
    format: str  # signed or unsigned

    def as_json(self, name: str) -> dict[str, Any]:
        """Return it in the form of imx500.json, under our name, with a batch of 1."""
        return {
            "name": name,
            "shape": [1, *self.shape],
            "format": self.format,
            "scale": self.scale,
            "zero_point": self.zero_point,
            "bits": self.bits,
        }


@dataclass(frozen=True)
class DnnParams:
    """The tensors of the network, in the converter's order, and the bytes of the chip's memory."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    memory_bytes: int


def read(path: Path) -> DnnParams:
    """Return the contents; StageError: it is no such file, or has several networks."""
    try:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        (network,) = root.findall("networks/network")
        memory = root.find("l2memory")
        return DnnParams(
            _tensors(network, "inputTensors/inputTensor"),
            _tensors(network, "outputTensors/outputTensor"),
            0 if memory is None else int(memory.attrib["totalSize"]),
        )
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise StageError(
            f"{path.name} does not describe one network, as Sony's converter does: {error}"
        ) from error


def _tensors(network: ElementTree.Element, path: str) -> tuple[Tensor, ...]:
    found = sorted(network.findall(path), key=lambda one: int(one.attrib["ordinal"]))
    return tuple(_tensor(one) for one in found)


def _tensor(described: ElementTree.Element) -> Tensor:
    sizes = sorted(
        described.findall("dimensions/dimension"), key=lambda one: int(one.attrib["ordinal"])
    )
    return Tensor(
        name=described.attrib["name"],
        shape=tuple(int(one.attrib["size"]) for one in sizes),
        scale=float(described.attrib["scale"]),
        zero_point=int(described.attrib["shift"]),
        bits=int(described.attrib["bitsPerElement"]),
        format=described.attrib["format"],
    )


def named(tensors: tuple[Tensor, ...], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return tensors under our names, which are in the same order.

    StageError: there are not as many.
    """
    if len(tensors) != len(names):
        raise StageError(
            f"the converter describes {len(tensors)} tensors, but the network has {len(names)}: "
            f"{', '.join(names)}"
        )
    return [tensor.as_json(name) for tensor, name in zip(tensors, names, strict=True)]
