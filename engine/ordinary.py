"""Checks that a path from the user is an ordinary file or folder.

Reading a FIFO, a device or one of the kernel's own files may block or never end; /proc/kmsg has the
mode of a regular file. Unlike engine/handles.py, this follows links, because the user may name a
path through one.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import FileIO
from pathlib import Path

from engine.errors import UserError

# File systems that hold no user data, as named in /proc/filesystems
_KERNEL = frozenset(
    {
        "proc",
        "sysfs",
        "debugfs",
        "tracefs",
        "securityfs",
        "configfs",
        "cgroup",
        "cgroup2",
        "bpf",
        "pstore",
        "efivarfs",
        "selinuxfs",
        "smackfs",
        "binfmt_misc",
        "fusectl",
        "mqueue",
        "rpc_pipefs",
        "nfsd",
        "devpts",
        "devtmpfs",
        "autofs",
        "nsfs",
        "resctrl",
    }
)


def check(where: str, status: os.stat_result) -> None:
    """Raise UserError unless the status is that of an ordinary file or folder."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UserError(where, "it is neither a file nor a folder", "give a file or a folder")
    refuse_kernels(where, status)


def refuse_kernels(where: str, status: os.stat_result) -> None:
    """Raise UserError for files whose content the kernel generates on reading."""
    if os.major(status.st_dev) == 0 and (kind := _kernel_file_systems().get(status.st_dev)):
        raise UserError(
            where,
            f"it is on {kind}, a file system of the kernel",
            "copy the data to an ordinary folder",
        )


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open an ordinary file for reading, without blocking; raise UserError for anything else."""
    with open(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb", buffering=0
    ) as file:
        check(str(path), os.fstat(file.fileno()))
        yield file


def read(path: Path, most_bytes: int) -> bytes:
    """Return the content of an ordinary file, up to one byte beyond the limit."""
    with opened(path) as file:
        data = bytearray()
        while len(data) <= most_bytes and (chunk := file.read(most_bytes + 1 - len(data))):
            data += chunk
    return bytes(data)


@contextmanager
def writing(output: str | None) -> Iterator[None]:
    """Turn an OSError while writing to `output=` into a UserError."""
    where, path = f"output={output}", Path(output or "")
    try:
        if path.exists():
            check(where, path.stat())
        yield
    except OSError as error:
        what = f"it cannot be written: {error.strerror}"
        raise UserError(where, what, "choose a file in a writable folder") from None


@cache
def _kernel_file_systems() -> dict[int, str]:
    """Return the kernel's mounted file systems, type by device number: proc(5),
    /proc/pid/mountinfo.
    """
    found = {}
    mounts = Path("/proc/self/mountinfo")
    for line in mounts.read_bytes().splitlines() if mounts.exists() else ():
        mount, _, source = line.partition(b" - ")
        major, _, minor = mount.split()[2].partition(b":")
        kind = source.split()[0].decode("ascii", "replace")
        if kind in _KERNEL:
            found[os.makedev(int(major), int(minor))] = kind
    return found
