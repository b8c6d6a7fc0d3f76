"""Starts a pipeline in a helper process, and returns the `Feed` that shows what happens in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from stages.serving.pipeline import pictures, wire
from stages.serving.pipeline.feed import Pipeline
from stages.serving.pipeline.memory import shared
from stages.serving.pipeline.settings import Settings

PROJECT = Path(__file__).resolve().parents[3]
# Threads of NumPy cost memory and win nothing; few arenas keep memory from growing.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "TF_CPP_MIN_LOG_LEVEL": "1",
}


def start(package: Path, sources: Sequence[str], settings: Settings = Settings()) -> Pipeline:  # noqa: B008
    """Start the processes of a package and its sources, and return as soon as the package is checked.

    Any process may call it, also one with threads: the processes are forked from a new one. StageError:
    the package is damaged, its task is unknown, or a source is of no kind.
    """
    memory = os.memfd_create("pictures")
    size = pictures.size_bytes(len(sources))
    os.ftruncate(memory, size)
    pairs = {name: wire.pair() for name in ("control", "messages", "asked")}
    wakes = [wire.pipe() for _ in sources]
    theirs = [*(pair[1].fileno() for pair in pairs.values()), memory, *(wake[0] for wake in wakes)]
    paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.serving.pipeline", *map(str, theirs)],
        pass_fds=theirs,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": paths},
        start_new_session=True,
    )
    shown = shared(size, memory)
    os.close(memory)
    for _, end in pairs.values():
        end.close()
    for read_end, _ in wakes:
        os.close(read_end)
    ends = {name: pair[0] for name, pair in pairs.items()}
    orders = {"package": str(package), "sources": list(sources), "settings": settings.as_json()}
    return Pipeline(process, orders, ends, shown, [wake[1] for wake in wakes])
