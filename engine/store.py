"""Content-addressed artifacts and the records of the jobs that made them.

    objects/<kind>/<aa>/<sha256>    one artifact, a file or a folder, read-only
    actions/<aa>/<fingerprint>.json the record of a job: written last, so it lists only whole artifacts
    checkpoints/<fingerprint>/      checkpoints of an unfinished job, for its next attempt
    corrupt/                        artifacts that did not match their digest

Order of a commit: artifact fsynced, renamed into place, its folder fsynced, then the record
likewise. A crash between any two steps leaves only whole artifacts and whole records. engine/locks.py
controls access to the store. This file knows no plan, run or journal.
"""

import errno
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine import digest as digests
from engine import handles
from engine.durable import clone, fsync_folder, set_mode, write_whole
from engine.errors import UserError
from engine.locks import STALE_S, Locks
from engine.sealing import BadOutput, move, seal

SCHEMA_VERSION = 1
FOLDERS = ("objects", "actions", "checkpoints", "corrupt", "work", "locks", "assets")
RECORD_MOST_BYTES = 256_000_000  # four times what a stage may say: a larger file is no record
DISK_FAULTS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
)  # of the disk, whatever is written


@dataclass(frozen=True, slots=True)
class Record:
    """What a job made, and all that a later run wants to know of it."""

    fingerprint: str
    stage: str
    parts: Mapping[str, Mapping[str, object]]
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
        self.locks = Locks(root)
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

        None if it is absent or damaged.
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
        """Return whether the artifact is there and every byte is what the digest says."""
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
            move(name, path, destination)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            handles.remove(path)  # another engine was first with the same bytes
        if destination.is_dir():
            with handles.folder(destination) as folder:
                set_mode(folder, self._folder_mode)
        fsync_folder(destination.parent)
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
                set_mode(new.fileno(), source.stat().st_mode & 0o555)

    def _action(self, fingerprint: str) -> Path:
        return self.root / "actions" / fingerprint[:2] / f"{fingerprint}.json"

    def _write_action(self, record: Record) -> None:
        text = json.dumps({"v": SCHEMA_VERSION, **asdict(record)})
        if self._action(record.fingerprint).is_dir():  # which no file replaces
            handles.remove(self._action(record.fingerprint))
        write_whole(self._action(record.fingerprint), text.encode())


def _digest(output: str, path: Path) -> str:
    try:
        return digests.of(path)
    except UserError as error:
        raise BadOutput(f"output '{output}': {error.where}: {error.what}") from None


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
