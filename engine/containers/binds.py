"""Passes a job's files to a container on this machine: folders are mounted at the same paths as
here.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import handles
from engine.catalogue import ROOT
from engine.containers import answers, options
from engine.context import ExecutorContext
from engine.jobfolder import Launch, linked, open_log
from engine.store import Store

INSIDE = ROOT / "engine" / "stage"  # what a job needs of the engine
_KEPT, _ADOPTED = (
    "kept",
    "taken-over",
)  # of a work folder: folders, and names of folders, of containers that continue


class Binds:
    """Nothing is copied. Where root calls, the job's folder is the container's user's while it
    runs, and root's again after.
    """

    def __init__(self, context: ExecutorContext) -> None:
        self._context = context
        self._store = Store(context.store)
        self._owner = options.user(os.getuid(), os.getgid())
        self._kept: dict[str, Path] = {}

    def log(self, launch: Launch) -> Path:
        """Return where the container writes the log: where it stands here."""
        return launch.log

    def mounts(self, client: Any, launch: Launch, is_wanted: Callable[[], bool]) -> list[Any]:
        """Return the mounts: the job's folder, checkpoints and log to write, inputs and sources to
        read.
        """
        (launch.folder / "cwd").mkdir()
        open_log(launch.log)
        checkpoints = self._checkpoints(launch)
        for path in checkpoints:
            handles.make_folder(path)
        self._give(launch, self._owner)
        inputs = [*filter(None, launch.inputs.values()), *linked(launch)]
        read = [INSIDE, *sources(self._context), *inputs]
        written = (launch.folder, *checkpoints, launch.log)
        return [
            *(options.bind(path, read_only=False) for path in written),
            *map(options.bind, dict.fromkeys(read)),  # some lie in the job's folder
        ]

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Do nothing: all of it is there."""

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Do nothing: what the stage says is written here."""

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Make the job's files the caller's, and put what docker-init and runc said into the log."""
        self._give(launch, options.User(os.getuid(), os.getgid()))
        for path in self._checkpoints(launch):
            with suppress(OSError):  # most stages keep nothing there
                path.rmdir()
        if container is not None and (
            said := b"".join(said for _, said in answers.words(container))
        ):
            handles.append(launch.log, said)

    def free_bytes(self, launch: Launch) -> int | None:
        """Return what is free on the disk of the job's folder."""
        return shutil.disk_usage(launch.folder).free

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """Save the folder of a container whose engine process is gone from being swept.

        Say whether there was one.
        """
        fingerprint = labels[f"{options.LABEL}.fingerprint"]
        kept = work / _KEPT / fingerprint
        kept.parent.mkdir(exist_ok=True)
        for folder in (Path(labels[f"{options.LABEL}.folder"]), *self._kept_before(fingerprint)):
            with suppress(OSError):
                folder.rename(kept)  # the container's mount goes along
                self._kept[fingerprint] = kept
                return True
        return False

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Put the kept folder in the place of the new one, and the log that the container writes in
        the place of the new log.
        """
        handles.remove(launch.folder)
        self._kept.pop(launch.fingerprint).rename(launch.folder)
        launch.adopted()
        mark = launch.folder.parent / _ADOPTED / launch.fingerprint  # where no container can write
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(launch.folder.name, encoding="utf-8")
        with suppress(OSError):  # the earlier run may have been removed
            launch.log.unlink(missing_ok=True)
            os.link(labels[f"{options.LABEL}.log"], launch.log)

    def _kept_before(self, fingerprint: str) -> Iterator[Path]:
        """Yield where an engine that had taken the folder over, and was killed too, may have left
        it.
        """
        work = self._context.store / "work"
        yield from work.glob(f"*/{_KEPT}/{fingerprint}")
        for mark in work.glob(f"*/{_ADOPTED}/{fingerprint}"):
            yield mark.parents[1] / mark.read_text(encoding="utf-8")

    def _checkpoints(self, launch: Launch) -> list[Path]:
        """Return the folder of the job's checkpoints; none for a job without a fingerprint."""
        return [self._store.checkpoint(launch.fingerprint)] if launch.fingerprint else []

    def _give(self, launch: Launch, owner: options.User) -> None:
        if os.getuid() != 0:
            return
        for path in (launch.folder, *self._checkpoints(launch)):
            with suppress(FileNotFoundError):  # a container of an earlier version has no checkpoint
                _chown_all(path, owner)
        os.chown(launch.log, owner.uid, owner.gid, follow_symlinks=False)


def _chown_all(path: Path, owner: options.User) -> None:
    with handles.folder(path) as folder:
        for entry in handles.walk(folder):
            os.chown(entry.name, owner.uid, owner.gid, dir_fd=entry.folder, follow_symlinks=False)
        os.fchown(folder, owner.uid, owner.gid)


def hidden_source(context: ExecutorContext) -> Path | None:
    """Return a source that root's stages could not read, since in their containers they are an
    ordinary user; None if all is well.
    """
    if os.getuid() != 0:
        return None
    paths = (
        path
        for tree in (INSIDE, *sources(context))
        for path in (tree, *tree.rglob("*"))
        if "__pycache__" not in path.parts
    )
    return next(
        (path for path in paths if path.exists() and not path.stat().st_mode & stat.S_IROTH), None
    )


def sources(context: ExecutorContext) -> list[Path]:
    """Return the packages of stages that a job may import."""
    return [
        root / package
        for root in context.roots
        for package in context.packages
        if (root / package).is_dir()
    ]
