"""What camera quantisation leaves for the stages after it: about.json, and the quantised network."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.stage import StageError

NETWORK = "quantised.keras"
_ABOUT = "about.json"


@dataclass(frozen=True)
class About:
    """The role whose network runs in the camera, and what is known about it."""

    role: str | None  # None: no model of the task sees the whole frame
    why: str | None = None  # why it is not quantised
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()  # our names, in the network's order
    picture: dict[str, float] | None = None  # mean and deviation that the network subtracts itself
    rebuilt_from: str | None = None  # the kind of its source
    max_difference: float | None = None  # of the rebuilt network's outputs from the float model's
    examples: int = 0  # that calibrated it
    by: str | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)  # what each needs of the memory

    @property
    def is_quantised(self) -> bool:
        """Return whether there is a quantised network."""
        return self.why is None


def write(folder: Path, about: About) -> None:
    """Write about.json to the folder."""
    text = json.dumps(asdict(about), indent=1) + "\n"
    (folder / _ABOUT).write_text(text, encoding="utf-8")


def read(folder: Path) -> About:
    """Return what `write` wrote; StageError: the folder is not that of the stage `quantise`."""
    try:
        found = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        lists = {name: tuple(found.pop(name)) for name in ("inputs", "outputs")}
        return About(**lists, **found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(
            f"{folder.name} is not what stages.imx500.quantise wrote: {error}"
        ) from error
