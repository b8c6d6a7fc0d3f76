"""Durable files: written atomically, synced to disk before they get their name, copied by reflink."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

_FICLONE = 0x40049409  # linux/fs.h


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write the file atomically: a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if durable:
        fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable; the contents of the named files are not synced."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def set_mode(handle: int, mode: int) -> None:
    """Set the mode, if the file system has modes (FAT has none).

    Digests are checked at every use anyway, so a read-only mode is not essential.
    """
    try:
        os.fchmod(handle, mode)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def clone(source: Path, destination: Path) -> bool:
    """Make a reflink; return False, and leave nothing, if the file system does not support them."""
    with source.open("rb") as old, destination.open("xb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
            os.fchmod(new.fileno(), source.stat().st_mode & 0o555)
            return True
        except OSError:
            destination.unlink()
            return False
