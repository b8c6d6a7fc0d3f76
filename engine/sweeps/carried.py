"""Carries the files of a job from a node that does not share the outputs folder to the sweep.

They travel in the job's result: the facts about the job, and its run's folder without artifacts.
Whoever sends them runs this program for the same user; they are written only below outputs.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine import handles
from engine.durable import write_whole
from engine.sweeps import record

MOST_BYTES = 50_000_000  # of one file; a larger one stays on its node
_LEFT_OUT = {"artifacts", ".mlflow.lock", "mlflow.json"}  # what MLflow has is up to each node


@dataclass(frozen=True, slots=True)
class Carried:
    """The result of a job on such a node."""

    objective: float | None
    files: dict[str, bytes]  # path below outputs -> content


def pack(folder: Path, number: int, objective: float | None) -> "Carried | float | None":
    """Return the objective, together with the job's files if the record is not on this machine.

    folder: the record of the sweep.
    """
    if (folder / record.SWEEP_FILE).exists():
        return objective
    record.append(folder, number, is_elsewhere=True)
    outputs, run = folder.parents[1], record.job(folder, number).facts.run
    found = dict(_files(outputs, folder / record.JOBS / f"{number}.jsonl"))
    for path in _of_run(outputs / run) if run else ():
        found |= _files(outputs, path)
    return Carried(objective, found)


def unpack(result: object, outputs: Path) -> None:
    """Write the files that a job's result carries; any other result has none."""
    if not isinstance(result, Carried):
        return
    for name, content in result.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"a job's file is not below the outputs folder: {name}")
        write_whole(outputs / path, content)


def _of_run(run_dir: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(run_dir):
        folders[:] = [one for one in folders if one not in _LEFT_OUT]
        yield from (Path(top) / name for name in names if name not in _LEFT_OUT)


def _files(outputs: Path, path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        yield path.relative_to(outputs).as_posix(), handles.read(path, MOST_BYTES)
    except (OSError, ValueError):  # it is too large, no file, or elsewhere
        return
