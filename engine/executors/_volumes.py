"""Hands a job's files to a container of another machine, through its engine alone: inputs as volumes known by digest, each sent once.

A volume that was being sent when the link broke lacks its mark and is sent again.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from engine.catalogue import ROOT
from engine.executors import _engine, _options
from engine.executors._binds import sources
from engine.jobfolder import Launch
from engine.placement import Setting
from engine.store import Store

MARK = ".whole"  # written last: the volume has all that its name promises
_INPUTS = Path("/inputs")
_FOLLOWED = 10_000_000  # bytes of a log up to which it is fetched while the stage runs


@dataclass(slots=True)
class _There:
    """Where a job's files are on the device, and how much of what it says has been fetched."""

    folder: Path
    fetched: dict[str, int] = field(default_factory=dict)


class Volumes:
    """The job's folder is a volume of its container alone, and goes with it."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._assets = setting, Store(setting.store).assets
        self._owner = _options.user(os.getuid(), os.getgid())
        self._jobs: dict[str, _There] = {}  # by fingerprint

    def log(self, launch: Launch) -> Path:
        """Return where the container writes the log."""
        return launch.folder / "log"

    def mounts(self, client: Any, launch: Launch) -> list[Any]:
        """Send what the device does not have yet, and return the mounts."""
        self._jobs[launch.fingerprint] = _There(launch.folder)
        mounts = [_mount(launch.folder.parent, None)]  # the folder itself is made in it, or it would be root's
        for name, path in launch.inputs.items():
            if path is not None:
                mounts.append(_mount(_INPUTS / name, self._sent(client, launch, path, path.name)))
        for path in sources(self._setting):
            mounts.append(_mount(path, self._sent(client, launch, path, ".")))
        stage = ROOT / "engine" / "stage.py"
        return [*mounts, _mount(stage.parent, self._sent(client, launch, stage, stage.name))]

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Lay the job's folder out in the container: its own job.json, where to write, and where to be."""
        text = (launch.folder / "job.json").read_text(encoding="utf-8")
        for name, path in launch.inputs.items():
            if path is not None:
                text = text.replace(json.dumps(str(path))[1:-1], json.dumps(str(_INPUTS / name / path.name))[1:-1])
        with _packed() as (file, tar):
            root = launch.folder.name
            for folder in (root, f"{root}/out", f"{root}/cwd"):
                tar.addfile(self._entry(folder, tarfile.DIRTYPE, 0o755))
            entry = self._entry(f"{root}/job.json", tarfile.REGTYPE, 0o644)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
            _put(container, launch.folder.parent, file, tar)

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring what the stage has said so far."""
        self._fetch(container, launch, "events.jsonl", launch.folder / "events.jsonl", _FOLLOWED)
        self._fetch(container, launch, "log", launch.log, _FOLLOWED)

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Bring the outputs and all that was said."""
        there = self._jobs.get(launch.fingerprint)
        if container is None or there is None:
            return
        self._fetch(container, launch, "events.jsonl", launch.folder / "events.jsonl")
        self._fetch(container, launch, "log", launch.log)
        self._fetch(container, launch, "result.json", launch.folder / "result.json")
        if (data := _get(container, there.folder / "out")) is not None:
            with data, tarfile.open(fileobj=data) as tar:
                tar.extractall(launch.folder, filter="data")
        self._jobs.pop(launch.fingerprint)

    def free_bytes(self, launch: Launch) -> int | None:
        """Return nothing: the disk is the device's."""
        return None

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """Say yes: the container has its files with it."""
        return True

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Remember that the container's files stand where its own run put them."""
        self._jobs[launch.fingerprint] = _There(Path(labels[f"{_options.LABEL}.folder"]))

    def _sent(self, client: Any, launch: Launch, path: Path, name: str) -> str:
        """Return the volume that holds the path's content under this name, sent now if the device lacks it."""
        digest = self._assets.of(path)
        volume = f"{_options.LABEL}-{hashlib.sha256(f'{digest} {name}'.encode()).hexdigest()[:32]}"
        labels = {f"{_options.LABEL}.digest": digest}
        options = {"image": launch.job.place.image, "entrypoint": ["true"], "network_mode": "none", "labels": labels}
        holder = client.containers.create(**options, mounts=[_mount(Path("/volume"), volume, labels)])
        try:
            if not _has(holder, Path("/volume") / MARK):
                self._fill(holder, path, name)
        except BaseException:
            with suppress(Exception):  # half a volume on a full disk helps nobody; where the link is lost it is sent again
                holder.remove(force=True)
                client.volumes.get(volume).remove()
            raise
        holder.remove(force=True)
        return volume

    def _fill(self, holder: Any, path: Path, name: str) -> None:
        with _packed() as (file, tar):
            for one in [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]:
                if "__pycache__" not in one.parts:
                    tar.add(one, str(Path(name) / one.relative_to(path)), recursive=False, filter=_readable)
            _put(holder, Path("/volume"), file, tar)
        with _packed() as (file, tar):
            tar.addfile(tarfile.TarInfo(MARK))
            _put(holder, Path("/volume"), file, tar)

    def _fetch(self, container: Any, launch: Launch, name: str, to: Path, most: int | None = None) -> None:
        """Append to the file what there is more of it on the device."""
        there = self._jobs[launch.fingerprint]
        have = there.fetched.get(name, 0)
        data = _get(container, there.folder / name, more_than=have, at_most=most)
        if data is None:
            return
        with data, tarfile.open(fileobj=data) as tar:
            content = tar.extractfile(tar.getmembers()[0])
            assert content is not None
            content.seek(have)
            with to.open("ab") as file:
                for chunk in iter(lambda: content.read(1 << 20), b""):
                    there.fetched[name] = there.fetched.get(name, 0) + file.write(chunk)

    def _entry(self, name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid = kind, mode, self._owner.uid, self._owner.gid
        return entry


def _mount(target: Path, volume: str | None, labels: Mapping[str, str] | None = None) -> Any:
    """Return the mount of a volume; without a name it is the container's own, to write to."""
    from docker.types import Mount

    return Mount(
        target=str(target), source=volume, type="volume", read_only=volume is not None and labels is None, labels=dict(labels or {})
    )


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Let whoever the container runs as read it, and nobody write it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o555 if entry.isdir() or entry.mode & 0o100 else 0o444
    return entry


@contextmanager
def _packed() -> Iterator[tuple[IO[bytes], tarfile.TarFile]]:
    with tempfile.TemporaryFile() as file, tarfile.open(fileobj=file, mode="w") as tar:
        yield file, tar


def _put(container: Any, path: Path, file: IO[bytes], tar: tarfile.TarFile) -> None:
    tar.close()
    file.seek(0)
    with _engine.patience(container.client):
        container.put_archive(str(path), file)


def _has(container: Any, path: Path) -> bool:
    found = _get(container, path)
    if found is not None:
        found.close()
    return found is not None


def _get(container: Any, path: Path, more_than: int = -1, at_most: int | None = None) -> IO[bytes] | None:
    """Return a file or folder of the container as a tar; None where it is not there, or not of a size that is asked for."""
    with _engine.archived(container, path) as found:
        if found is None:
            return None
        facts, chunks = found
        is_file = not facts["mode"] >> 31  # Go's os.ModeDir
        if is_file and (facts["size"] <= more_than or (at_most is not None and facts["size"] > at_most)):
            return None
        file = tempfile.TemporaryFile()
        for chunk in chunks:
            file.write(chunk)
    file.seek(0)
    return file
