"""Passes a job's files to a container on this machine: folders are mounted at the same paths."""

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
from engine.jobfolder import PROJECT, Launch, linked, open_log
from engine.store import Store

INSIDE = ROOT / "engine" / "stage"  # the part of the engine that a job needs
_KEPT, _ADOPTED = (
    "kept",
    "taken-over",
)  # in a work folder: folders of containers that continue, and markers with names of such folders


class Binds:
    """Mounts folders without copying. If root runs the engine, the container's user owns the job's folder
    while the container runs, and root owns it again afterwards.
    """

    def __init__(self, context: ExecutorContext) -> None:
        self._context = context
        self._store = Store(context.store)
        self._owner = options.user(os.getuid(), os.getgid())
        self._kept: dict[str, Path] = {}

    def log(self, launch: Launch) -> Path:
        """Return where the container writes the log: the same path as on this machine."""
        return launch.log

    def mounts(self, client: Any, launch: Launch, is_wanted: Callable[[], bool]) -> list[Any]:
        """Return the mounts: job folder, checkpoints and log writable, inputs and sources read-only."""
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
            *map(options.bind, dict.fromkeys(read)),  # some are inside the job's folder
            *_of_project(launch),
        ]

    def send(self, client: Any, container: Any, launch: Launch) -> None:
        """Do nothing: the files are mounted."""

    def follow(self, client: Any, container: Any, launch: Launch) -> None:
        """Do nothing: the stage's reports are written on this machine."""

    def collect(self, client: Any, container: Any, launch: Launch) -> None:
        """Give the job's files to the caller, and append the messages of docker-init and runc to the log."""
        self._give(launch, options.User(os.getuid(), os.getgid()))
        for path in self._checkpoints(launch):
            with suppress(OSError):  # it is empty for most stages
                path.rmdir()
        if container is not None and (
            output := b"".join(output for _, output in answers.words(container))
        ):
            handles.append(launch.log, output)

    def forget(self, client: Any, launch: Launch) -> None:
        """Do nothing: what is mounted goes with the work folder."""

    def free_bytes(self, launch: Launch) -> int | None:
        """Return the free space on the disk of the job's folder."""
        return shutil.disk_usage(launch.folder).free

    def keep(self, labels: Mapping[str, str], work: Path) -> bool:
        """Move the folder of a container whose engine process has ended, so that it is not swept.

        Return whether there was one.
        """
        fingerprint = labels[f"{options.LABEL}.fingerprint"]
        kept = work / _KEPT / fingerprint
        kept.parent.mkdir(exist_ok=True)
        for folder in (Path(labels[f"{options.LABEL}.folder"]), *self._kept_before(fingerprint)):
            with suppress(OSError):
                folder.rename(kept)  # the container's mount follows
                self._kept[fingerprint] = kept
                return True
        return False

    def take_over(self, launch: Launch, labels: Mapping[str, str]) -> None:
        """Replace the new job folder by the kept one, and the new log by the container's."""
        handles.remove(launch.folder)
        self._kept.pop(launch.fingerprint).rename(launch.folder)
        launch.adopted()
        mark = launch.folder.parent / _ADOPTED / launch.fingerprint  # not writable by any container
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(launch.folder.name, encoding="utf-8")
        with suppress(OSError):  # the earlier run may have been removed
            launch.log.unlink(missing_ok=True)
            os.link(labels[f"{options.LABEL}.log"], launch.log)

    def _kept_before(self, fingerprint: str) -> Iterator[Path]:
        """Yield the folders where an engine that took it over, and was then killed too, may have left it."""
        work = self._context.store / "work"
        yield from work.glob(f"*/{_KEPT}/{fingerprint}")
        for mark in work.glob(f"*/{_ADOPTED}/{fingerprint}"):
            yield mark.parents[1] / mark.read_text(encoding="utf-8")

    def _checkpoints(self, launch: Launch) -> list[Path]:
        """Return the folder of the job's checkpoints; nothing for a job without a fingerprint."""
        return [self._store.checkpoint(launch.fingerprint)] if launch.fingerprint else []

    def _give(self, launch: Launch, owner: options.User) -> None:
        if os.getuid() != 0:
            return
        for path in (launch.folder, *self._checkpoints(launch)):
            with suppress(
                FileNotFoundError
            ):  # containers of earlier versions have no checkpoint folder
                _chown_all(path, owner)
        os.chown(launch.log, owner.uid, owner.gid, follow_symlinks=False)


def _of_project(launch: Launch) -> Iterator[Any]:
    """Yield the mounts of folders in the job's own copy of a project at other paths."""
    for there, name in launch.job.contract.mounts.items():
        folder = launch.folder / PROJECT / name
        folder.mkdir(parents=True, exist_ok=True)
        yield options.bind(folder, Path(there), read_only=False)


def _chown_all(path: Path, owner: options.User) -> None:
    with handles.folder(path) as folder:
        for entry in handles.walk(folder):
            os.chown(entry.name, owner.uid, owner.gid, dir_fd=entry.folder, follow_symlinks=False)
        os.fchown(folder, owner.uid, owner.gid)


def hidden_source(context: ExecutorContext) -> Path | None:
    """Return a source that root's stages cannot read, because they run as an ordinary user in their
    containers; None if there is none.
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
