"""The people of a package that others are added to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.stage import note
from stages.faces import _names
from stages.training.findings import listed

LABELS, CONSTANTS = "labels.txt", "constants.json"
_NAMED = 8  # in a note


@dataclass(frozen=True)
class Packed:
    """The names in a package, in the order of its gallery, and its constants."""

    labels: "tuple[str, ...]"
    constants: "dict[str, Any]"

    @property
    def threshold(self) -> float:
        return float(self.constants["threshold"])

    def with_new(self, people: Sequence[str]) -> "list[str]":
        """Return the names in the package, which keep their places, and then the new ones."""
        return [*self.labels, *(one for one in people if one not in self.labels)]

    def untested(self, faces: Sequence[int], owners: Sequence[str]) -> "list[int]":
        """Return the faces that may test. Those of packed people may have calibrated the threshold.

        faces: indices of faces; owners: (faces,) whose each is
        """
        known = sorted({owners[at] for at in faces} & set(self.labels))
        if known:
            note(
                "not tested, because the package already had them when its threshold was calibrated: "
                f"{listed(known, _NAMED)}"
            )
        return [at for at in faces if owners[at] not in self.labels]


def packed_people(folder: Path) -> Packed:
    """Return the people that stages.faces.unpack wrote into the folder, in the normal form of names."""
    labels = (folder / LABELS).read_text(encoding="utf-8").splitlines()
    constants = json.loads((folder / CONSTANTS).read_text(encoding="utf-8"))
    return Packed(tuple(map(_names.normal, labels)), constants)
