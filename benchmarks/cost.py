"""Measures a command: wall time, and processor time of everything that it starts, until all has ended.

The measuring process becomes the parent of processes that its children leave running
(PR_SET_CHILD_SUBREAPER, prctl(2)), so that the kernel adds their processor time to its own.
"""

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one command, in seconds."""

    wall_s: float  # until the command ended
    foreground_cpu_s: float  # processor time until then
    cpu_s: float  # processor time until everything that it started had ended
    quiet_s: float  # wall time until everything had ended


def measure(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run the command to its end, and wait for everything that it started. Exit if it fails."""
    adopt_orphans()
    before, start = _children_cpu_s(), time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True)
    wall_s, foreground_cpu_s = time.perf_counter() - start, _children_cpu_s() - before
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    wait_for_orphans()
    return Cost(wall_s, foreground_cpu_s, _children_cpu_s() - before, time.perf_counter() - start)


def adopt_orphans() -> None:
    """Become the parent of every process that this one's children leave running."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans() -> None:
    """Wait until all these processes have ended."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
