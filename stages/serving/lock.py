"""Keeps a second server from storing files in the same folder: each would count only its own, and remove
what the other one is writing.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from stages.serving.mistakes import Mistake, Mistakes


@contextmanager
def storing(state: Path) -> Iterator[None]:
    """Hold the state folder, also against a process that was killed; raise Mistakes if it is held."""
    file = _opened(state)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            what = "another server stores pictures in this folder"
            raise Mistakes(
                [Mistake(f"state={state}", what, "end it, or give this one another state=")]
            ) from None
        yield
    finally:
        os.close(file)


def _opened(state: Path) -> int:
    try:
        return os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        what = f"the folder cannot be read: {error.strerror}"
        fix = "give state= a folder of this user"
        raise Mistakes([Mistake(f"state={state}", what, fix)]) from None
