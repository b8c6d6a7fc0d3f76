"""Content-addressed artifacts and the records of the jobs that made them.

    objects/<kind>/<aa>/<sha256>    one artifact, a file or a folder, read-only
    actions/<aa>/<fingerprint>.json the record of a job: written last, so it lists only complete artifacts
    checkpoints/<fingerprint>/      checkpoints of an unfinished job, for its next attempt
    corrupt/                        artifacts that did not match their digest

Order of a commit: artifact fsynced, renamed into place, its folder fsynced, then the record
likewise. A crash between any two steps leaves only complete artifacts and records. engine/locks.py
controls access to the store. This file does not depend on plans, runs or journals.
"""

import errno
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
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
RECORD_MOST_BYTES = (
    256_000_000  # four times the limit on a stage's reports: a larger file is not a record
)
DISK_FAULTS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
)  # errors of the disk, whatever is being written


@dataclass(frozen=True, slots=True)
class Record:
    """A job's outputs, and everything that a later run needs to know about it."""

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
    measured_on: str = ""


class Store:
    """The store below one folder; any number of engines may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.locks = Locks(root)
        self.assets = digests.DigestCache(root / "digests.sqlite")
        self._clones = True  # until the file system refuses

    def find(self, fingerprint: str) -> Record | None:
        """Return the record of a job, if all its artifacts exist and match their digests."""
        record = self.record(fingerprint)
        if record is None or not all(self.is_whole(digest) for digest in record.outputs.values()):
            return None
        return record

    def record(self, fingerprint: str) -> Record | None:
        """Return the job's record without checking its artifacts.

        None if it is missing or damaged.
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

    def records(self) -> Iterator[Record]:
        """Yield the readable records of all jobs, without checking their artifacts."""
        for path in sorted(self.root.glob("actions/*/*.json")):
            if found := self.record(path.stem):
                yield found

    def is_whole(self, digest: str) -> bool:
        """Return whether the artifact exists and all its bytes match the digest."""
        path = self.path(digest)
        if path.is_symlink():  # the file behind a link may be changed without the store noticing
            return False
        try:
            return digests.of(path) == digest
        except UserError:
            return False

    def path(self, digest: str) -> Path:
        """Return the path of the artifact with this digest."""
        kind, _, hexadecimal = digest.partition(":")
        return self.root / "objects" / kind / hexadecimal[:2] / hexadecimal

    def materialise(self, digest: str, destination: Path) -> None:
        """Provide the artifact, read-only, at another path: as a reflink or hard link, or else a copy."""
        source = self.path(digest)
        destination.parent.mkdir(parents=True, exist_ok=True)
        if digest.startswith("file:"):
            self._lay(source, destination)
            return
        destination.mkdir()
        with handles.folder(source) as root:
            entries = [(entry.path, entry.is_folder) for entry in handles.walk(root)]
        for path, is_folder in reversed(entries):  # a folder precedes its contents
            if is_folder:
                (destination / path).mkdir()
            else:
                self._lay(source / path, destination / path)

    def commit(self, record: Record, paths: Mapping[str, Path]) -> Record:
        """Move the outputs into the store and write the record; raise BadOutput for an invalid output.

        The stage that wrote the outputs must no longer be able to reach the paths; their content may
        be anything.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        outputs = {name: self._take_in(name, path) for name, path in paths.items()}
        whole = Record(
            **{**{key: getattr(record, key) for key in Record.__slots__}, "outputs": outputs}
        )
        self._write_action(whole)
        self.drop_checkpoint(record.fingerprint)
        return whole

    def add(self, name: str, path: Path) -> str:
        """Move an artifact into the store, and return its digest; no record names it.

        Raise BadOutput for an invalid artifact; name: for this message.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        return self._take_in(name, path)

    def remove(self, digests: Iterable[str], fingerprint: str | None = None) -> list[str]:
        """Remove artifacts, then the record of the job that made them, and return what is left of them.

        The record is last, so that an interrupted removal can be repeated: it says what else there is.
        """
        left = [one for one in digests if not handles.remove(self.path(one))]
        if fingerprint and not left:
            handles.remove(self._action(fingerprint))
            self.drop_checkpoint(fingerprint)
        return left

    def checkpoint(self, fingerprint: str) -> Path:
        """Return the folder of a job's checkpoints. Only the engine that holds the job's lock may use it."""
        return self.root / "checkpoints" / fingerprint

    def drop_checkpoint(self, fingerprint: str) -> None:
        """Remove a job's checkpoints, whatever the stage wrote there."""
        handles.remove(self.checkpoint(fingerprint))

    def quarantine(self, digest: str) -> None:
        """Set a damaged artifact aside for inspection."""
        aside = self.root / "corrupt" / f"{digest.replace(':', '-')}.{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            handles.make_writable(
                self.path(digest)
            )  # moving a folder writes to it: its `..` changes
            self.path(digest).rename(aside)

    def size_bytes(self) -> int:
        """Return the size of all artifacts and checkpoints in bytes."""
        artifacts = sum(_size(path) for path in self.root.glob("objects/*/*/*"))
        return artifacts + sum(map(_untrusted_size, self.root.glob("checkpoints/*")))

    def keep_only(self, fingerprints: set[str], digests: set[str], *, dry_run: bool) -> int:
        """Remove records, artifacts and checkpoints that are not listed, and anything unusable.

        Return the size of the removed artifacts and checkpoints in bytes.
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
            ]  # left by engines that were killed
            for path in [
                *self.root.glob("locks/*"),
                *self.root.glob("corrupt/*"),
                *partial,
                *records,
            ]:
                handles.remove(
                    path
                )  # records before artifacts: no record may name a missing artifact
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
            handles.remove(path)  # another engine stored the same bytes first
        if destination.is_dir():
            with handles.folder(destination) as folder:
                set_mode(folder, self._folder_mode)
        fsync_folder(destination.parent)
        return digest

    @property
    def _folder_mode(self) -> int:
        """Return the mode of a folder in an artifact: read-only, except for a group that shares the store,
        whose members may run `clean`.
        """
        return 0o575 if self.root.stat().st_mode & stat.S_IWGRP else 0o555

    def _lay(self, source: Path, destination: Path) -> None:
        """Provide one file at the destination: as a reflink, which shares blocks but not writes, or else a
        hard link, or else a copy.
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
        if self._action(record.fingerprint).is_dir():  # a file cannot replace a folder
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
    """Return the size, in bytes, of the readable files in a folder that a stage wrote."""
    size = 0
    with suppress(OSError), handles.folder(path) as root:
        for entry in handles.walk(root):
            size += 0 if entry.is_folder else entry.facts.st_size
    return size
