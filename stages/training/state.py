"""The training state in one file, so that training resumes as if it had never been interrupted."""

import json
import time
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from engine.stage import durable_file

if TYPE_CHECKING:
    from pathlib import Path

SHARE = 0.02  # maximum share of the training time for saving


class TrainingState:
    """Everything on which the next epoch depends: weights, optimizer, random generators of the
    layers and of the data.
    """

    def __init__(self, path: "Path", learner: Any, optimizer: Any, chance: Any) -> None:
        optimizer.build(learner.trainable_variables)
        self._path, self._chance = path, chance
        self._variables = [*learner.variables, *optimizer.variables]
        self._next_s = 0.0

    def restore(self) -> list[dict[str, float]]:
        """Restore the state that was saved, and return the metrics of its epochs.

        If there is no readable state, return nothing and change nothing.
        """
        import numpy as np

        try:
            with self._path.open("rb") as file, np.load(file) as saved:
                about = json.loads(str(saved["about"]))
                values = [saved[f"variable_{at:03}"] for at in range(len(self._variables))]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return []
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        self._chance.bit_generator.state = about["chance"]
        history: list[dict[str, float]] = about["history"]
        return history

    def save(self, history: list[dict[str, float]]) -> None:
        """Save the state after the epochs with these metrics, unless that would take too much time."""
        import numpy as np

        began_s = time.monotonic()
        if began_s < self._next_s:
            return
        about = json.dumps({"chance": self._chance.bit_generator.state, "history": history})
        values = {f"variable_{at:03}": np.asarray(one) for at, one in enumerate(self._variables)}
        with durable_file(self._path) as file:
            np.savez(file, about=np.array(about), **values)
        ended_s = time.monotonic()
        self._next_s = ended_s + (ended_s - began_s) / SHARE
