"""A finding of `doctor`: whether something is installed, and how to install it if it is missing."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check, and how to install what is missing."""

    is_there: bool
    what: str
    fix: str = ""


def first_line(argv: Sequence[str], within_s: float = 0.8) -> str:
    """Return the first line that a program prints; empty if it prints none in time."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]
