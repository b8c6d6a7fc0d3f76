"""Turns outputs into artifacts: checks their contents, and makes them read-only and durable.

A stage may have written anything: outputs are accessed only through handles, and links are refused.
"""

import errno
import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import IO

from engine import handles
from engine.durable import set_mode
from engine.handles import Entry

MAX_DEPTH, MAX_PATH_BYTES = (
    100,
    2000,
)  # limits on an output's tree, because its later readers walk it and join its paths


class BadOutput(Exception):
    """An output that cannot become an artifact, and why."""


def seal(output: str, path: Path, folder_mode: int = 0o555) -> None:
    """Make an output read-only and durable; a top folder stays writable, because it has yet to be moved.

    Raise BadOutput if it is missing, unreadable or too deep, and for links and anything else that is
    neither a file nor a folder. A file with several hard links is replaced by a copy, so that the
    other names keep their content and mode.
    """
    with handles.folder(path.parent) as above:
        try:
            top = Entry(
                above, path.name, path.name, os.stat(path.name, dir_fd=above, follow_symlinks=False)
            )
        except FileNotFoundError:
            raise BadOutput(f"the stage did not write its output '{output}'") from None
        if not top.is_folder:
            _seal_one(output, top, folder_mode)
            return
        _refuse(output, top)
        handles.make_writable(path.name, at=above)
        with handles.folder(path.name, at=above) as root:
            for entry in handles.walk(root, unlock=True):
                inside = Entry(entry.folder, entry.name, f"{path.name}/{entry.path}", entry.facts)
                _seal_one(output, inside, folder_mode)
            os.fsync(root)


def move(output: str, path: Path, destination: Path) -> None:
    """Move a sealed output to its destination, which may be on another disk, for example if objects/ is
    a link.
    """
    try:
        path.rename(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = destination.with_name(f".{uuid.uuid4().hex}.part")
        try:
            shutil.copytree(path, partial) if path.is_dir() else shutil.copy(path, partial)
            seal(output, partial)
            handles.make_writable(partial)
            partial.rename(destination)
        finally:
            handles.remove(partial)
        handles.remove(path)


def _seal_one(output: str, entry: Entry, folder_mode: int) -> None:
    _refuse(output, entry)
    if entry.is_folder:
        with handles.folder(entry.name, at=entry.folder) as handle:
            set_mode(handle, folder_mode)
            os.fsync(handle)
        return
    with open(handles.open_file(entry.name, at=entry.folder), "rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_nlink > 1:
            _seal_copy(file, entry, facts)
        else:
            _seal_file(file.fileno(), facts)


def _refuse(output: str, entry: Entry) -> None:
    """Raise BadOutput for anything that an artifact cannot contain."""
    mode, shown = entry.facts.st_mode, entry.path
    if stat.S_ISLNK(mode):
        there = os.readlink(entry.name, dir_fd=entry.folder)
        raise BadOutput(
            f"output '{output}' contains a symbolic link, {shown} -> {there}; write the file itself"
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadOutput(f"output '{output}' contains {shown}, which is neither a file nor a folder")
    if entry.facts.st_dev != os.fstat(entry.folder).st_dev:
        raise BadOutput(f"output '{output}' contains {shown}, where another file system is mounted")
    if not mode & stat.S_IRUSR or (entry.is_folder and not mode & stat.S_IXUSR):
        raise BadOutput(
            f"output '{output}' contains {shown}, which cannot be read (mode "
            f"{stat.S_IMODE(mode):04o})"
        )
    if shown.count("/") > MAX_DEPTH or len(os.fsencode(shown)) > MAX_PATH_BYTES:
        raise BadOutput(
            f"output '{output}' contains folders nested more than {MAX_DEPTH} deep, or a "
            f"path of more than {MAX_PATH_BYTES} bytes"
        )
    disk = os.fstatvfs(entry.folder)
    if entry.facts.st_size > disk.f_blocks * disk.f_frsize:
        raise BadOutput(
            f"output '{output}' contains {shown} of {entry.facts.st_size:,} bytes, more "
            "than its disk has"
        )


def _seal_copy(file: IO[bytes], entry: Entry, facts: os.stat_result) -> None:
    """Replace a file that has other hard links by a sealed copy."""
    partial = f".{uuid.uuid4().hex}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(partial, flags, 0o600, dir_fd=entry.folder), "wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        _seal_file(copy.fileno(), facts)
    os.replace(partial, entry.name, src_dir_fd=entry.folder, dst_dir_fd=entry.folder)


def _seal_file(file: int, facts: os.stat_result) -> None:
    set_mode(file, 0o555 if facts.st_mode & stat.S_IXUSR else 0o444)
    os.fsync(file)
