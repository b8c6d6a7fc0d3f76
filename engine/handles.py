"""Safe file access through handles, for folders in which others may write: a stage may leave anything
there.

Symbolic links are not followed, other file systems are not entered, only regular files are opened,
opening never blocks, reads are limited, and walks do not recurse.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotAFile(OSError):
    """The path names something other than a regular file, or too large a file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree. `folder` is the open folder that holds it, until the walk continues."""

    folder: int
    name: str
    path: str  # from the root of the walk
    facts: os.stat_result  # of the entry itself: links are not followed

    @property
    def is_folder(self) -> bool:
        """Return whether it is a real folder, not a link to one."""
        return stat.S_ISDIR(self.facts.st_mode)


@dataclass(slots=True)
class _Level:
    """A folder that the walk has entered."""

    name: str
    facts: os.stat_result
    left: list[str] = field(default_factory=list)  # remaining names, the next one last


def open_file(path: str | Path, flags: int = os.O_RDONLY, *, at: int | None = None) -> int:
    """Return a descriptor of a regular file, never of a link, a device or a FIFO.

    at: the folder that contains the name.
    """
    file = os.open(path, flags | _SAFELY, 0o666, dir_fd=at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise NotAFile(None, "it is not a regular file", str(path))
    return file


@contextmanager
def folder(path: str | Path, *, at: int | None = None) -> Iterator[int]:
    """Open a real folder."""
    handle = os.open(path, _FOLDER, dir_fd=at)
    try:
        yield handle
    finally:
        os.close(handle)


def read(path: str | Path, most_bytes: int, *, at: int | None = None) -> bytes:
    """Return a regular file's bytes; raise OSError for anything else, and for a larger file."""
    with open(open_file(path, at=at), "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise NotAFile(None, f"it has more than {most_bytes:,} bytes", str(path))
    return data


def append(path: str | Path, data: bytes, *, at: int | None = None) -> None:
    """Append to a regular file, and create it if it does not exist."""
    with open(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, at=at), "wb") as file:
        file.write(data)


def walk(root: int, *, unlock: bool = False) -> Iterator[Entry]:
    """Yield everything below an open folder, sorted, each folder after its contents.

    A mount point is yielded but not entered. unlock: first make each folder readable and writable for
    its owner. Raise OSError if a folder is moved while the walk is in it. The walk goes up through
    `..`, so that it needs one descriptor and no path, however deep the tree is.
    """
    here = os.dup(root)
    levels = [_Level("", os.fstat(root), _names(here, unlock))]
    try:
        while True:
            level = levels[-1]
            if not level.left:
                levels.pop()
                if not levels:
                    return
                here = _replaced(here, _entered("..", here, levels[-1].facts))
                yield Entry(here, level.name, _path(levels, level.name), level.facts)
                continue
            name = level.left.pop()
            try:
                facts = os.stat(name, dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(facts.st_mode) or facts.st_dev != level.facts.st_dev:
                yield Entry(here, name, _path(levels, name), facts)
                continue
            if unlock:
                make_writable(name, at=here)
            try:
                here = _replaced(here, _entered(name, here, facts))
            except OSError as error:
                raise OSError(error.errno, error.strerror, _path(levels, name)) from None
            levels.append(_Level(name, facts, _names(here, unlock)))
    finally:
        os.close(here)


def make_writable(path: str | Path, *, at: int | None = None) -> None:
    """Give the owner of a real folder full access, if this user may change it.

    Ignore a link.
    """
    with suppress(OSError):
        handle = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        try:
            # The mode of an O_PATH handle can only be changed through /proc: proc(5), /proc/pid/fd.
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            if mode & 0o700 != 0o700:
                Path(f"/proc/self/fd/{handle}").chmod(mode | 0o700)
        finally:
            os.close(handle)


def make_folder(path: Path) -> None:
    """Create a real folder unless it exists; first remove anything else with its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        remove(path)
    path.mkdir(exist_ok=True)  # another thread may have made it meanwhile


def remove(path: str | Path, *, at: int | None = None) -> bool:
    """Remove a file, a link, or a folder with its contents, as far as this user may.

    Return whether it is gone.
    """
    try:
        os.unlink(path, dir_fd=at)
        return True
    except FileNotFoundError:
        return True
    except OSError:
        pass  # it is a folder
    with suppress(OSError):  # usually it is empty, and no walk is needed
        os.rmdir(path, dir_fd=at)
        return True
    make_writable(path, at=at)
    with suppress(OSError):
        with folder(path, at=at) as root:
            for entry in walk(root, unlock=True):
                with suppress(OSError):
                    _remove_one(entry)
        os.rmdir(path, dir_fd=at)
        return True
    return False


def _remove_one(entry: Entry) -> None:
    if entry.is_folder:
        os.rmdir(entry.name, dir_fd=entry.folder)
    else:
        os.unlink(entry.name, dir_fd=entry.folder)


def _names(handle: int, unlock: bool) -> list[str]:
    """Return the names in a folder, in reverse order.

    Empty if the folder is unreadable and is only being emptied.
    """
    try:
        return sorted(os.listdir(handle), reverse=True)
    except OSError:
        if unlock:
            return []
        raise


def _entered(name: str, at: int, wanted: os.stat_result) -> int:
    """Open a folder; raise OSError if it is no longer the one that was seen under this name or above."""
    handle = os.open(name, _FOLDER, dir_fd=at)
    facts = os.fstat(handle)
    if (facts.st_dev, facts.st_ino) != (wanted.st_dev, wanted.st_ino):
        os.close(handle)
        raise OSError(errno.ESTALE, "a folder was moved while it was being read", name)
    return handle


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def _path(levels: list[_Level], name: str) -> str:
    return "/".join([*(level.name for level in levels[1:]), name])
