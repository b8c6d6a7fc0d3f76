"""Lock files in folders that others may write to."""

import errno
import os
import stat
from pathlib import Path
from typing import IO


def open_lock(lock: Path) -> IO[bytes]:
    """Open the lock file, created if necessary; OSError if the path is not a regular file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    file = open(os.open(lock, flags, 0o666), "r+b", buffering=0)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "the lock is not a regular file", str(lock))
    return file
