"""Reads what extending a packed classifier needs: its extractor, classes, last layer and pictures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.tasks import head
from stages.tasks.package import Package, open_package

SEEN = "seen.json"  # digests of the training and validation pictures
MEANS = "means.npy"  # (classes, size): the mean embedding of each class


@dataclass(frozen=True)
class Packed:
    """A packed classifier whose last layer can be extended with new classes."""

    package: Package
    folder: Path  # contains the last layer

    @property
    def labels(self) -> "list[str]":
        return list(self.package.labels)

    @property
    def method(self) -> str:
        return str(self.package.constants["head"]["method"])

    @property
    def extractor_sha256(self) -> str:
        return str(self.package.constants["head"]["extractor_sha256"])

    @property
    def threshold(self) -> float:
        return self.package.number("threshold")

    @property
    def layer(self) -> head.Head:
        return head.read(self.folder)

    @property
    def means(self) -> "NDArray[np.float32]":
        """The mean embedding of each class (classes, size), of length 1 or less."""
        return np.load(self.folder / MEANS, allow_pickle=False)  # type: ignore[no-any-return]

    @property
    def seen(self) -> "dict[str, list[str]]":
        """Digests of the pictures by part: train, val."""
        found: dict[str, list[str]] = json.loads((self.folder / SEEN).read_text(encoding="utf-8"))
        return found


def open_packed(folder: Path) -> Packed:
    """Return the packed classifier; StageError: not a classifier, or without a separate last layer."""
    found = open_package(folder)
    if found.task != "classify":
        raise StageError(
            f"assets.packed is a package for the task '{found.task}', not a picture classifier"
        )
    if "head" not in found.constants:
        raise StageError(
            "assets.packed was made with params.method=finetune, and such a network cannot be "
            "extended with new classes: make it with params.method=last_layer or imprint"
        )
    return Packed(found, found.data(*head.FILES, MEANS, SEEN))


def constants(method: str, extractor_sha256: str, kept: int) -> "dict[str, Any]":
    """Return the last layer's entry in the package's constants; kept: number of packed classes."""
    return {"method": method, "extractor_sha256": extractor_sha256, "kept": kept}
