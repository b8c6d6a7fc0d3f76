"""Content-addressed artifacts and the records of the jobs that made them.

    objects/<kind>/<aa>/<sha256>    one artifact, a file or a folder, read-only
    actions/<aa>/<fingerprint>.json what a job made: written last, so that it names whole artifacts only
    corrupt/                        what turned out not to be what its digest says
    work/<owner>/                   private folders of engines at work, each under its lock
    lock                            shared by the engines at work; who cleans has it alone

Order of a commit: artifact fsynced, renamed into place, its folder fsynced, then the record likewise.
A crash between any two steps leaves whole artifacts and whole records only. No plan, no run, no journal here.
"""

import errno
import fcntl
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from engine import digest as digests
from engine.errors import UserError

SCHEMA_VERSION = 1
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
        """Return the job's record as it stands, without a look at its artifacts; None where it is absent or damaged."""
        try:
            data = json.loads(self._action(fingerprint).read_bytes())
            if data.pop("v") != SCHEMA_VERSION or data["fingerprint"] != fingerprint:
                return None
            return Record(**data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def is_whole(self, digest: str) -> bool:
        """Say whether the artifact is there and every byte is what the digest says."""
        try:
            return digests.of(self.path(digest)) == digest
        except UserError:
            return False

    def path(self, digest: str) -> Path:
        """Return where the artifact of this digest stands."""
        kind, _, hexadecimal = digest.partition(":")
        return self.root / "objects" / kind / hexadecimal[:2] / hexadecimal

    def materialise(self, digest: str, destination: Path) -> None:
        """Lay the artifact out under another path: by reflink or hard link, else by copy; read-only."""
        source = self.path(digest)
        destination.parent.mkdir(parents=True, exist_ok=True)
        if digest.startswith("file:"):
            self._lay(source, destination)
            return
        destination.mkdir()
        for folder, folders, names in os.walk(source):
            there = destination / Path(folder).relative_to(source)
            for name in folders:
                (there / name).mkdir()
            for name in names:
                self._lay(Path(folder, name), there / name)

    def commit(self, record: Record, paths: Mapping[str, Path]) -> Record:
        """Take the outputs in and write the record; BadOutput for an output that is none. The paths are gone then."""
        outputs = {name: self._take_in(name, path) for name, path in paths.items()}
        whole = Record(**{**{key: getattr(record, key) for key in Record.__slots__}, "outputs": outputs})
        self._write_action(whole)
        return whole

    def quarantine(self, digest: str) -> None:
        """Set a damaged artifact aside, where a person may look at it."""
        aside = self.root / "corrupt" / f"{digest.replace(':', '-')}.{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            _make_writable(self.path(digest))
            self.path(digest).rename(aside)

    @contextmanager
    def work(self, owner: str) -> Iterator[Path]:
        """Yield a private folder on the store's file system, locked while the engine lives and removed after."""
        hidden, folder = self.root / "work" / f".{owner}", self.root / "work" / owner
        hidden.mkdir(parents=True)
        with (hidden / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            hidden.rename(folder)  # seen by others only when it is locked
            try:
                yield folder
            finally:
                remove_tree(folder)

    def has_abandoned(self) -> bool:
        """Say whether an engine that is gone left its work folder."""
        return any(self._abandoned())

    def sweep(self) -> list[str]:
        """Remove the work folders whose engines are gone, and return those engines' names."""
        gone = []
        for folder in self._abandoned():
            aside = folder.with_name(f".gone-{uuid.uuid4().hex}")
            with suppress(FileNotFoundError):  # another engine sweeps too: one of us renames it
                folder.rename(aside)
                gone.append(folder.name)
                remove_tree(aside)
        return gone

    def is_at_work(self, owner: str) -> bool:
        """Say whether the engine of this name is alive."""
        lock = self.root / "work" / owner / "lock"
        return lock.exists() and not _is_unlocked(lock)

    def size_bytes(self) -> int:
        """Return the bytes that the artifacts take."""
        return sum(_size(path) for path in self.root.glob("objects/*/*/*"))

    def keep_only(self, fingerprints: set[str], digests: set[str], *, dry_run: bool) -> int:
        """Remove records and artifacts that are not named, and what nobody can use; return the artifacts' bytes."""
        records = [path for path in self.root.glob("actions/*/*.json") if path.stem not in fingerprints]
        artifacts = [path for path in self.root.glob("objects/*/*/*") if f"{path.parent.parent.name}:{path.name}" not in digests]
        freed = sum(map(_size, artifacts))
        if not dry_run:
            rest = [*self.root.glob("locks/*"), *self.root.glob("corrupt/*")]
            for path in [*records, *artifacts, *rest]:  # records first: none names what is gone
                remove_tree(path)
        return freed

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
            yield _is_taken(lock)

    def _abandoned(self) -> Iterator[Path]:
        yield from (folder for folder in sorted((self.root / "work").glob("[!.]*")) if _is_unlocked(folder / "lock"))

    def _lock_of_all(self) -> IO[str]:
        self.root.mkdir(parents=True, exist_ok=True)
        return (self.root / "lock").open("a")

    @contextmanager
    def alone(self, fingerprint: str) -> Iterator[bool]:
        """Yield whether this engine, of all that share the store, may do the job now; the kernel frees it on death."""
        path = self.root / "locks" / fingerprint
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            yield _is_taken(lock)

    def _take_in(self, name: str, path: Path) -> str:
        _check(name, path)
        digest = digests.of(path)
        place = self.path(digest)
        if place.exists():
            if self.is_whole(digest):
                remove_tree(path)
                return digest
            self.quarantine(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        _seal(path)
        try:
            path.rename(place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            remove_tree(path)  # another engine was first with the same bytes
        if place.is_dir():
            place.chmod(0o555)
        _fsync_folder(place.parent)
        return digest

    def _lay(self, source: Path, destination: Path) -> None:
        """Put one file there: a reflink, which shares blocks but no writes, else a hard link, else a copy."""
        if self._clones:
            self._clones = _clone(source, destination)
            if self._clones:
                return
        try:
            os.link(source, destination)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise
            shutil.copyfile(source, destination)
            destination.chmod(source.stat().st_mode & 0o555)

    def _action(self, fingerprint: str) -> Path:
        return self.root / "actions" / fingerprint[:2] / f"{fingerprint}.json"

    def _write_action(self, record: Record) -> None:
        text = json.dumps({"v": SCHEMA_VERSION, **asdict(record)})
        write_whole(self._action(record.fingerprint), text.encode())


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write the file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with partial.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    partial.replace(path)
    if durable:
        _fsync_folder(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a file or a folder, also where the stage or the store made it read-only."""
    if path.is_dir() and not path.is_symlink():
        _make_writable(path)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check(name: str, path: Path) -> None:
    """Refuse what is absent, links, and anything but files and folders."""
    if not os.path.lexists(path):
        raise BadOutput(f"the stage did not write its output '{name}'")
    entries = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    for entry in entries:
        mode = entry.lstat().st_mode
        shown = entry.relative_to(path.parent)
        if stat.S_ISLNK(mode):
            raise BadOutput(f"output '{name}' holds a symbolic link, {shown} -> {entry.readlink()}; write the file itself")
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise BadOutput(f"output '{name}' holds {shown}, which is neither a file nor a folder")


def _seal(path: Path) -> None:
    """Make every file read-only and durable, and every folder durable; the top folder stays writable for its rename."""
    if not path.is_dir():
        _seal_file(path)
        return
    for folder, folders, names in os.walk(path, topdown=False):
        for name in names:
            _seal_file(Path(folder, name))
        for name in folders:
            Path(folder, name).chmod(0o555)
        _fsync_folder(Path(folder))


def _seal_file(path: Path) -> None:
    executable = path.stat().st_mode & stat.S_IXUSR
    path.chmod(0o555 if executable else 0o444)
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _fsync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _clone(source: Path, destination: Path) -> bool:
    """Make a reflink; False, and nothing left there, where the file system has none."""
    with source.open("rb") as old, destination.open("xb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
            os.fchmod(new.fileno(), source.stat().st_mode & 0o555)
            return True
        except OSError:
            destination.unlink()
            return False


def _make_writable(path: Path) -> None:
    if path.is_dir():
        for folder, folders, _ in os.walk(path):
            for name in folders:
                with suppress(OSError):
                    Path(folder, name).chmod(0o755)
        path.chmod(0o755)


def _size(path: Path) -> int:
    return sum(facts.st_size for _, facts in digests.files(path)) if path.is_dir() else path.stat().st_size


def _is_taken(lock: IO[str]) -> bool:
    """Take the lock if it is free, and say whether it is ours now; the kernel frees it with the file."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _is_unlocked(path: Path) -> bool:
    try:
        with path.open("r+") as lock:
            return _is_taken(lock)
    except FileNotFoundError:
        return False  # being made just now, or by hand
