"""Passes a job's files to a container on another machine, through its engine alone: each input is a
volume, identified by its digest and sent once.

If the connection breaks during a transfer, the volume lacks its mark and is sent again.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from engine import handles
from engine.containers import answers, archive, loading, options
from engine.containers.binds import INSIDE, sources
from engine.containers.log_entries import Seen
from engine.context import ExecutorContext
from engine.jobfolder import EVENTS_MOST_BYTES, RESULT_MOST_BYTES, Launch, is_passing
from engine.store import Store

MARK = ".whole"  # written last: the volume is complete
_CHUNK = 1 << 18  # bytes sent between two checks whether the job is still wanted
_TURN_S = 0.2  # how often to check whether another job has sent the same volume
_INPUTS = Path("/inputs")
_GO_TYPE_BITS = (
    0x8F280000  # the type bits of Go's os.FileMode, which Docker returns: folder, link, device, ...
)
_FOLLOWED = 10_000_000  # bytes; larger event files are not fetched while the stage runs


class _TooLarge(Exception):
    """A file on the device is larger than the limit."""


class Unwanted(Exception):
    """The job must end before its files have been sent."""


@dataclass(slots=True)
class _There:
    """Where a job's files are on the device, and how much of its reports has been fetched."""

    folder: Path
    fetched: int = 0  # bytes of its events file
    logged: Seen = field(default_factory=Seen)


class Volumes:
    """Sends inputs as volumes; the job's folder is a volume of its own container, removed with it."""

    def __init__(self, context: ExecutorContext) -> None:
        self._context = context
        self._owner = options.user(os.getuid(), os.getgid())
        self._jobs: dict[Path, _There] = {}  # by the folder of the job

    def log(self, launch: Launch) -> None:
        """Leave the log to the engine, which limits its size so that it cannot fill the device."""

    def mounts(self, client: Any, launch: Launch, is_wanted: Callable[[], bool]) -> list[Any]:
        """Send what the device does not have yet, and return the mounts."""
        self._jobs[launch.folder] = _There(launch.folder)
        sending = _Sending(client, launch, Store(self._context.store), is_wanted)
        mounts = [
            _mount(launch.folder.parent, None)
        ]  # the folder itself is created inside it, or root would own it
        for name, path in launch.inputs.items():
            if path is not None:
                mounts.append(_mount(_INPUTS / name, self._sent(sending, path, path.name)))
        for path in (INSIDE, *sources(self._context)):
            mounts.append(_mount(path, self._sent(sending, path, ".")))
        return mounts

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Lay the job's folder out in the container: job.json, the folders for outputs, and the working
        folder.
        """
        text = (launch.folder / "job.json").read_text(encoding="utf-8")
        here = str(Store(self._context.store).checkpoint(launch.fingerprint))
        there = str(launch.folder / "checkpoint")  # removed with the container
        text = text.replace(json.dumps(here)[1:-1], json.dumps(there)[1:-1])
        for name, path in launch.inputs.items():
            if path is not None:
                text = text.replace(
                    json.dumps(str(path))[1:-1], json.dumps(str(_INPUTS / name / path.name))[1:-1]
                )
        with _packed() as (file, tar):
            root = launch.folder.name
            for folder in (root, f"{root}/out", f"{root}/cwd"):
                tar.addfile(self._entry(folder, tarfile.DIRTYPE, 0o755))
            entry = self._entry(f"{root}/job.json", tarfile.REGTYPE, 0o644)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
            _put(container, launch.folder.parent, _all_of(file, tar))

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Fetch the stage's reports so far."""
        self._fetch_events(container, launch, _FOLLOWED)
        since_s = _second(self._jobs[launch.folder].logged.moment)
        self._fetch_log(container, launch, since_s)

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Fetch the outputs and all reports."""
        there = self._jobs.get(launch.folder)
        if container is None or there is None:
            return
        if not self._fetch_events(container, launch, EVENTS_MOST_BYTES):
            launch.notes.append(
                f"it reported more than {EVENTS_MOST_BYTES / 1000000.0:.0f} MB; the rest "
                "is left out"
            )
        self._fetch_log(container, launch)
        with (
            suppress(_TooLarge, tarfile.TarError),
            _file(container, there.folder / "result.json", RESULT_MOST_BYTES) as result,
        ):
            handles.append(launch.folder / "result.json", b"".join(result))
        with answers.archived(container, there.folder / "out") as found:
            if found is not None:
                archive.unpack(found[1], launch.folder)
        self._jobs.pop(launch.folder)

    def forget(self, client: Any, launch: Launch) -> None:
        """Remove the volumes of inputs that no other command needs: the device's disk is small."""
        store = Store(self._context.store)
        for path in filter(None, launch.inputs.values()):
            if is_passing(launch, path):
                with suppress(Exception):  # another job has it, or the device is gone
                    client.volumes.get(_volume(store.assets.of(path), path.name)).remove()

    def free_bytes(self, launch: Launch) -> int | None:
        """Return None: the disk is on the device."""
        return None

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """Return True: the files belong to the container."""
        return True

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Record that the container's files are where its own run put them."""
        self._jobs[launch.folder] = _There(Path(labels[f"{options.LABEL}.folder"]))

    def _sent(self, sending: "_Sending", path: Path, name: str) -> str:
        """Return the volume with the path's content under this name; send it if the device lacks it."""
        digest = sending.store.assets.of(path)
        volume = _volume(digest, name)
        with self._in_turn(volume, sending):
            self._fill(volume, {f"{options.LABEL}.digest": digest}, sending, path, name)
        return volume

    @contextmanager
    def _in_turn(self, volume: str, sending: "_Sending") -> Iterator[None]:
        """Wait while this or another engine of the store sends the same volume: it can be used as soon as
        it is complete.
        """
        while True:
            with sending.store.locks.alone(volume) as is_free:
                if is_free:
                    yield
                    return
            sending.go_on()
            time.sleep(_TURN_S)

    def _fill(
        self, volume: str, labels: Mapping[str, str], sending: "_Sending", path: Path, name: str
    ) -> None:
        """Send the path into the volume, unless it is complete.

        If this engine is killed, `reclaim` removes the container that holds the volume meanwhile.
        """
        owner = {
            options.LABEL: str(self._context.store),
            f"{options.LABEL}.run": sending.launch.run_id,
        }
        arguments = {
            "image": sending.launch.job.placement.image,
            "entrypoint": ["true"],
            "network_mode": "none",
            "labels": owner,
        }
        holder = sending.client.containers.create(
            **arguments, mounts=[_mount(Path("/volume"), volume, labels)]
        )
        try:
            if not _has(holder, Path("/volume") / MARK):
                sending.put(holder, Path("/volume"), path, name)
        except BaseException:
            with suppress(
                Exception
            ):  # remove a partial volume from a full disk; after a lost connection it is sent again
                holder.remove(force=True)
                sending.client.volumes.get(volume).remove()
            raise
        holder.remove(force=True)

    def _fetch_events(self, container: Any, launch: Launch, most: int) -> bool:
        """Append new events from the device to the job's events.

        Return whether the file was small enough to be fetched.
        """
        there = self._jobs[launch.folder]
        try:
            with _file(
                container, there.folder / "events.jsonl", most, known=there.fetched
            ) as content:
                for chunk in content:
                    handles.append(launch.folder / "events.jsonl", chunk)
                    there.fetched += len(chunk)
        except (_TooLarge, tarfile.TarError):
            return False
        return True

    def _fetch_log(self, container: Any, launch: Launch, since_s: int = 0) -> None:
        """Append new log entries since the last call to the log."""
        there = self._jobs[launch.folder]
        data, there.logged = there.logged.new(list(answers.words(container, since_s)))
        handles.append(launch.log, data)

    def _entry(self, name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid = kind, mode, self._owner.uid, self._owner.gid
        return entry


@dataclass(frozen=True, slots=True)
class _Sending:
    """The transfer of one job's files to the device, which stops if the job is no longer wanted."""

    client: Any
    launch: Launch
    store: Store
    is_wanted: Callable[[], bool]

    def go_on(self) -> None:
        """Raise Unwanted if the job is no longer wanted."""
        if not self.is_wanted():
            raise Unwanted("it was asked to end while its files were being sent")

    def put(self, holder: Any, folder: Path, path: Path, name: str) -> None:
        """Send the path, and then the mark that it is complete."""
        _put(holder, folder, self._packed(path, name))
        with _packed() as (file, tar):
            tar.addfile(tarfile.TarInfo(MARK))
            _put(holder, folder, _all_of(file, tar))

    def _packed(self, path: Path, name: str) -> Iterator[bytes]:
        """Yield the path as a tar stream, without storing it; raise Unwanted if the job must end."""
        with tarfile.open(fileobj=io.BytesIO(), mode="w") as known:  # it tracks hard links
            for one, content in _below(path):
                if "__pycache__" not in one.parts:
                    entry = _readable(
                        known.gettarinfo(content, str(Path(name) / one.relative_to(path)))
                    )
                    yield entry.tobuf()
                    yield from self._content(one, entry)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _content(self, path: Path, entry: tarfile.TarInfo) -> Iterator[bytes]:
        left = entry.size if entry.isreg() else 0
        with path.open("rb") if left else io.BytesIO() as file:
            while left:
                self.go_on()
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    raise OSError(f"{path} became shorter while it was being sent")
                left -= len(chunk)
                yield chunk
        yield bytes(-entry.size % tarfile.BLOCKSIZE if entry.isreg() else 0)


def _volume(digest: str, name: str) -> str:
    """Return the name of the volume of a content under this name."""
    key = hashlib.sha256(f"{digest} {name}".encode(errors="surrogateescape"))
    return f"{options.LABEL}-{key.hexdigest()[:32]}"


def _below(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the path and everything below it, each with the location of its content.

    Links are followed: the entries of a folder input are links to artifacts, and a user's folder may
    contain some.
    """
    yield path, path.resolve() if path.is_symlink() else path
    for entry in sorted(path.iterdir()) if path.is_dir() else ():
        yield from _below(entry)


def _mount(target: Path, volume: str | None, labels: Mapping[str, str] | None = None) -> Any:
    """Return the mount of a volume; without a name, it is a new writable volume of the container."""
    from docker.types import Mount

    return Mount(
        target=str(target),
        source=volume,
        type="volume",
        read_only=volume is not None and labels is None,
        labels=dict(labels or {}),
    )


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Make the entry readable for every user, and writable for none."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o555 if entry.isdir() or entry.mode & 0o100 else 0o444
    return entry


@contextmanager
def _packed() -> Iterator[tuple[IO[bytes], tarfile.TarFile]]:
    with tempfile.TemporaryFile() as file, tarfile.open(fileobj=file, mode="w") as tar:
        yield file, tar


def _all_of(file: IO[bytes], tar: tarfile.TarFile) -> Iterator[bytes]:
    tar.close()
    file.seek(0)
    yield from iter(lambda: file.read(_CHUNK), b"")


def _put(container: Any, path: Path, tar: Iterator[bytes]) -> None:
    with loading.patience(container.client):
        container.put_archive(str(path), tar)


def _has(container: Any, path: Path) -> bool:
    with answers.archived(container, path) as found:
        return found is not None


@contextmanager
def _file(container: Any, path: Path, most: int, known: int = 0) -> Iterator[Iterator[bytes]]:
    """Yield the bytes of a regular file in the container after the first `known` ones.

    Raise _TooLarge if there are more than `most`.
    """
    from docker.errors import APIError

    with ExitStack() as stack:
        found = None
        with suppress(APIError):  # a path that the engine cannot resolve, such as a link to itself
            found = stack.enter_context(answers.archived(container, path))
        yield iter(()) if found is None else _new_in(*found, path, most, known)


def _new_in(
    facts: answers.PathStat, chunks: Iterator[bytes], path: Path, most: int, known: int
) -> Iterator[bytes]:
    if facts.mode & _GO_TYPE_BITS or facts.size <= known:
        return iter(())
    if facts.size > most:
        raise _TooLarge(path)
    return archive.content(chunks, most, known)


def _second(moment: str) -> int:
    """Return the second of a timestamp, according to the engine's clock."""
    return int(datetime.fromisoformat(f"{moment[:19]}+00:00").timestamp()) if moment else 0
