"""Content-addressed artifacts and the records of the jobs that made them.

    objects/<kind>/<aa>/<sha256>    one artifact, a file or a folder, read-only
    actions/<aa>/<fingerprint>.json what a job made: written last, so that it names whole artifacts only
    checkpoints/<fingerprint>/      what a job that has not finished keeps for its next attempt
    corrupt/                        what turned out not to be what its digest says
    work/<owner>/                   private folders of engines at work, each under its lock
    lock                            shared by the engines at work; who cleans has it alone

Order of a commit: artifact fsynced, renamed into place, its folder fsynced, then the record
likewise. A crash between any two steps leaves whole artifacts and whole records only. No plan, no
run, no journal here.
"""

import errno
import fcntl
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from engine import digest as digests
from engine import handles
from engine.errors import UserError
from engine.handles import Entry

SCHEMA_VERSION = 1
FOLDERS = ("objects", "actions", "checkpoints", "corrupt", "work", "locks", "assets")
MAX_DEPTH, MAX_PATH_BYTES = (
    100,
    2000,
)  # of what is in an output: all that read it later walk and join its paths
RECORD_MOST_BYTES = 256_000_000  # four times what a stage may say: a larger file is no record
STALE_S = 3600.0  # a work folder that is still without its lock after this time has no engine
DISK_FAULTS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
)  # of the disk, whatever is written
_FICLONE = 0x40049409  # linux/fs.h


class BadOutput(Exception):
    """An output that cannot become an artifact, and why."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a job made, and all that a later run wants to know of it."""

    fingerprint: str
    stage: str
    parts: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, str]  # name -> digest
    metrics: Mapping[str, float] = field(default_factory=dict)
    points: list[Any] = field(default_factory=list)
    figures: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    platform: str = ""
    emulated: bool = False
    taken: str = ""


class Store:
    """The store below one folder; any number of engines may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.assets = digests.DigestCache(root / "digests.sqlite")
        self._clones = True  # until the file system says that it does not

    def find(self, fingerprint: str) -> Record | None:
        """Return the record of a job whose artifacts are all there and are what their digests say."""
        record = self.record(fingerprint)
        if record is None or not all(self.is_whole(digest) for digest in record.outputs.values()):
            return None
        return record

    def record(self, fingerprint: str) -> Record | None:
        """Return the job's record as it stands, without a look at its artifacts.

        None where it is absent or damaged.
        """
        try:
            data = json.loads(handles.read(self._action(fingerprint), RECORD_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        from engine import eventschema

        if (
            not eventschema.is_record(data)
            or data.pop("v") != SCHEMA_VERSION
            or data["fingerprint"] != fingerprint
        ):
            return None
        return Record(**data)

    def is_whole(self, digest: str) -> bool:
        """Say whether the artifact is there and every byte is what the digest says."""
        path = self.path(digest)
        if (
            path.is_symlink()
        ):  # whoever may change the file that it names changes it behind the store's back
            return False
        try:
            return digests.of(path) == digest
        except UserError:
            return False

    def path(self, digest: str) -> Path:
        """Return where the artifact of this digest stands."""
        kind, _, hexadecimal = digest.partition(":")
        return self.root / "objects" / kind / hexadecimal[:2] / hexadecimal

    def materialise(self, digest: str, destination: Path) -> None:
        """Lay the artifact out under another path: by reflink or hard link, else by copy;
        read-only.
        """
        source = self.path(digest)
        destination.parent.mkdir(parents=True, exist_ok=True)
        if digest.startswith("file:"):
            self._lay(source, destination)
            return
        destination.mkdir()
        with handles.folder(source) as root:
            entries = [(entry.path, entry.is_folder) for entry in handles.walk(root)]
        for path, is_folder in reversed(entries):  # a folder comes before what it holds
            if is_folder:
                (destination / path).mkdir()
            else:
                self._lay(source / path, destination / path)

    def commit(self, record: Record, paths: Mapping[str, Path]) -> Record:
        """Take the outputs in and write the record; BadOutput for an output that is none. The paths
        are gone then.

        The paths must be out of the reach of the stage that wrote them; what they hold may be
        anything.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        outputs = {name: self._take_in(name, path) for name, path in paths.items()}
        whole = Record(
            **{**{key: getattr(record, key) for key in Record.__slots__}, "outputs": outputs}
        )
        self._write_action(whole)
        self.drop_checkpoint(record.fingerprint)
        return whole

    def checkpoint(self, fingerprint: str) -> Path:
        """Return where a job keeps its checkpoints. Only the engine that has the job's lock may use
        it.
        """
        return self.root / "checkpoints" / fingerprint

    def drop_checkpoint(self, fingerprint: str) -> None:
        """Remove a job's checkpoints, whatever the stage wrote there."""
        handles.remove(self.checkpoint(fingerprint))

    def quarantine(self, digest: str) -> None:
        """Set a damaged artifact aside, where a person may look at it."""
        aside = self.root / "corrupt" / f"{digest.replace(':', '-')}.{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            handles.make_writable(
                self.path(digest)
            )  # a folder that is moved is written to: its `..` changes
            self.path(digest).rename(aside)

    @contextmanager
    def work(self, owner: str) -> Iterator[Path]:
        """Yield a private folder on the store's file system, locked while the engine lives, then
        removed.
        """
        hidden, folder = self.root / "work" / f".{owner}", self.root / "work" / owner
        hidden.mkdir(parents=True)
        with (hidden / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            hidden.rename(folder)  # seen by others only when it is locked
            try:
                yield folder
            finally:
                handles.remove(folder)

    def abandoned(self) -> list[str]:
        """Return the names of the engines that are gone and left their work folders."""
        return [folder.name for folder in self._abandoned()]

    def sweep(self) -> list[str]:
        """Remove the work folders whose engines are gone, and return those engines' names."""
        gone = []
        for folder in self._abandoned():
            aside = folder.with_name(f".gone-{uuid.uuid4().hex}")
            with suppress(
                OSError
            ):  # another engine sweeps too, and one of us renames it; or it is another user's
                folder.rename(aside)
                gone.append(folder.name)
        for leftover in self._leftovers():  # also of an engine that was killed while it swept
            handles.remove(leftover)
        return gone

    def is_at_work(self, owner: str) -> bool:
        """Say whether the engine of this name is alive."""
        lock = self.root / "work" / owner / "lock"
        return lock.exists() and not _is_unlocked(lock)

    def _leftovers(self) -> Iterator[Path]:
        """Yield the hidden work folders that no engine has: renamed to be removed, or never locked."""
        for folder in (self.root / "work").glob(".*"):
            with suppress(OSError):
                if (
                    folder.name.startswith(".gone-")
                    or time.time() - folder.stat().st_mtime > STALE_S
                ):
                    yield folder

    def size_bytes(self) -> int:
        """Return the bytes that artifacts and checkpoints take."""
        artifacts = sum(_size(path) for path in self.root.glob("objects/*/*/*"))
        return artifacts + sum(map(_untrusted_size, self.root.glob("checkpoints/*")))

    def keep_only(self, fingerprints: set[str], digests: set[str], *, dry_run: bool) -> int:
        """Remove records, artifacts and checkpoints that are not named, and what nobody can use.

        Return the bytes of the artifacts and checkpoints.
        """
        records = [
            path for path in self.root.glob("actions/*/*.json") if path.stem not in fingerprints
        ]
        artifacts = [
            path
            for path in self.root.glob("objects/*/*/*")
            if f"{path.parent.parent.name}:{path.name}" not in digests
        ]
        checkpoints = [
            path for path in self.root.glob("checkpoints/*") if path.name not in fingerprints
        ]
        freed = {path: _size(path) for path in artifacts}
        freed |= {path: _untrusted_size(path) for path in checkpoints}
        if not dry_run:
            sweeps = (
                path
                for path in self.root.glob("sweeps/*")
                if time.time() - path.stat().st_mtime > STALE_S
            )
            partial = [
                *self.root.glob("actions/*/.*.part"),
                *self.root.glob("requests/.*.part"),
                *self.root.glob(".*.part"),
                *self.root.glob("assets/.*"),
                *sweeps,
            ]  # of engines that were killed
            for path in [
                *self.root.glob("locks/*"),
                *self.root.glob("corrupt/*"),
                *partial,
                *records,
            ]:
                handles.remove(path)  # records before artifacts: none names what is gone
            freed = {path: size for path, size in freed.items() if handles.remove(path)}
        return sum(freed.values())

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `clean` from the store: from planning on, a run counts on what it found there."""
        with self._lock_of_all() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Yield whether no engine uses the store; none begins to while this lasts."""
        with self._lock_of_all() as lock:
            yield _try_lock(lock)

    def _abandoned(self) -> Iterator[Path]:
        yield from (
            folder
            for folder in sorted((self.root / "work").glob("[!.]*"))
            if _is_unlocked(folder / "lock")
        )

    def _lock_of_all(self) -> IO[str]:
        self.root.mkdir(parents=True, exist_ok=True)
        return _opened(self.root / "lock", os.O_CREAT)

    @contextmanager
    def alone(self, fingerprint: str) -> Iterator[bool]:
        """Yield whether this engine, of all that share the store, may do the job now.

        The kernel frees it on death.
        """
        path = self.root / "locks" / fingerprint
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(path, os.O_CREAT) as lock:
            yield _try_lock(lock)

    def _take_in(self, name: str, path: Path) -> str:
        seal(name, path, self._folder_mode)
        digest = _digest(name, path)
        destination = self.path(digest)
        if destination.exists():
            if self.is_whole(digest):
                handles.remove(path)
                return digest
            self.quarantine(digest)
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            _move(name, path, destination)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            handles.remove(path)  # another engine was first with the same bytes
        if destination.is_dir():
            with handles.folder(destination) as folder:
                _set_mode(folder, self._folder_mode)
        _fsync_folder(destination.parent)
        return digest

    @property
    def _folder_mode(self) -> int:
        """The mode of a folder in an artifact: read-only, but for the group that shares the store,
        whose members clean it.
        """
        return 0o575 if self.root.stat().st_mode & stat.S_IWGRP else 0o555

    def _lay(self, source: Path, destination: Path) -> None:
        """Put one file there: a reflink, which shares blocks but no writes, else a hard link, else
        a copy.
        """
        if self._clones:
            self._clones = clone(source, destination)
            if self._clones:
                return
        try:
            os.link(source, destination)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise
            with source.open("rb") as old, destination.open("xb") as new:
                shutil.copyfileobj(old, new, 1 << 20)
                _set_mode(new.fileno(), source.stat().st_mode & 0o555)

    def _action(self, fingerprint: str) -> Path:
        return self.root / "actions" / fingerprint[:2] / f"{fingerprint}.json"

    def _write_action(self, record: Record) -> None:
        text = json.dumps({"v": SCHEMA_VERSION, **asdict(record)})
        if self._action(record.fingerprint).is_dir():  # which no file replaces
            handles.remove(self._action(record.fingerprint))
        write_whole(self._action(record.fingerprint), text.encode())


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write the file so that a reader sees the old content or the new, never a part."""
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
        _fsync_folder(path.parent)


def seal(output: str, path: Path, folder_mode: int = 0o555) -> None:
    """Make all of an output read-only and durable, a top folder but for its mode: it is still to be
    moved.

    BadOutput for what is absent, unreadable or too deep, for links, and for anything but files and
    folders. A file with several hard links is replaced by a copy, so the other names keep their
    content and mode.
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


def _seal_one(output: str, entry: Entry, folder_mode: int) -> None:
    _refuse(output, entry)
    if entry.is_folder:
        with handles.folder(entry.name, at=entry.folder) as handle:
            _set_mode(handle, folder_mode)
            os.fsync(handle)
        return
    with open(handles.open_file(entry.name, at=entry.folder), "rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_nlink > 1:
            _seal_copy(file, entry, facts)
        else:
            _seal_file(file.fileno(), facts)


def _move(output: str, path: Path, destination: Path) -> None:
    """Move a sealed output to its place, which may be on another disk, such as the one that a link
    at objects/ leads to.
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


def _refuse(output: str, entry: Entry) -> None:
    """Raise BadOutput for what an artifact cannot hold."""
    mode, shown = entry.facts.st_mode, entry.path
    if stat.S_ISLNK(mode):
        there = os.readlink(entry.name, dir_fd=entry.folder)
        raise BadOutput(
            f"output '{output}' holds a symbolic link, {shown} -> {there}; write the file itself"
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadOutput(f"output '{output}' holds {shown}, which is neither a file nor a folder")
    if entry.facts.st_dev != os.fstat(entry.folder).st_dev:
        raise BadOutput(f"output '{output}' holds {shown}, where another file system is mounted")
    if not mode & stat.S_IRUSR or (entry.is_folder and not mode & stat.S_IXUSR):
        raise BadOutput(
            f"output '{output}' holds {shown}, which cannot be read (mode {stat.S_IMODE(mode):04o})"
        )
    if shown.count("/") > MAX_DEPTH or len(os.fsencode(shown)) > MAX_PATH_BYTES:
        raise BadOutput(
            f"output '{output}' holds folders nested more than {MAX_DEPTH} deep, or a path of more "
            f"than {MAX_PATH_BYTES} bytes"
        )
    disk = os.fstatvfs(entry.folder)
    if entry.facts.st_size > disk.f_blocks * disk.f_frsize:
        raise BadOutput(
            f"output '{output}' holds {shown} of {entry.facts.st_size:,} bytes, more than its disk has"
        )


def _seal_copy(file: IO[bytes], entry: Entry, facts: os.stat_result) -> None:
    """Put a sealed copy in the place of a file that has other names elsewhere."""
    partial = f".{uuid.uuid4().hex}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(partial, flags, 0o600, dir_fd=entry.folder), "wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        _seal_file(copy.fileno(), facts)
    os.replace(partial, entry.name, src_dir_fd=entry.folder, dst_dir_fd=entry.folder)


def _seal_file(file: int, facts: os.stat_result) -> None:
    _set_mode(file, 0o555 if facts.st_mode & stat.S_IXUSR else 0o444)
    os.fsync(file)


def _set_mode(handle: int, mode: int) -> None:
    """Set the mode, if the file system has modes (FAT has none).

    Digests are checked at every use, whether or not a file is read-only.
    """
    try:
        os.fchmod(handle, mode)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def _digest(output: str, path: Path) -> str:
    try:
        return digests.of(path)
    except UserError as error:
        raise BadOutput(f"output '{output}': {error.where}: {error.what}") from None


def _fsync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def clone(source: Path, destination: Path) -> bool:
    """Make a reflink; False, and nothing left there, where the file system has none."""
    with source.open("rb") as old, destination.open("xb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
            os.fchmod(new.fileno(), source.stat().st_mode & 0o555)
            return True
        except OSError:
            destination.unlink()
            return False


def _size(path: Path) -> int:
    return (
        sum(facts.st_size for _, facts in digests.files(path))
        if path.is_dir()
        else path.stat().st_size
    )


def _untrusted_size(path: Path) -> int:
    """Return the bytes of the files in a folder that a stage wrote, as far as they can be seen."""
    size = 0
    with suppress(OSError), handles.folder(path) as root:
        for entry in handles.walk(root):
            size += 0 if entry.is_folder else entry.facts.st_size
    return size


def _try_lock(lock: IO[str]) -> bool:
    """Take the lock if it is free, and say whether it is ours now; the kernel frees it with the
    file.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _is_unlocked(path: Path) -> bool:
    try:
        with _opened(path) as lock:
            return _try_lock(lock)
    except OSError:
        return False  # being made just now, or by hand


def _opened(path: Path, flags: int = 0) -> IO[str]:
    """Open a lock file: to write where that is allowed, since a network file system locks nothing
    else exclusively.
    """
    try:
        return open(handles.open_file(path, os.O_RDWR | flags), "r+")
    except PermissionError:
        return open(handles.open_file(path))  # another user's, which flock(2) locks all the same
