"""The layout of the runs below outputs/. Users' scripts may rely on these names.

engine/run_files.py defines the content of a run's files.
"""

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from engine import handles, journal
from engine.errors import UserError
from engine.store import FOLDERS
from engine.wording import as_typed

_ID = re.compile(
    r"(\d{8}-\d{6})(?:-(\d{3}))?-[0-9a-f]+", re.ASCII
)  # before 0.1 without milliseconds
_OBSTRUCTED = (
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENXIO,
    errno.ELOOP,
)  # a socket: ENXIO; a link: ELOOP
LATEST = "latest"  # in the folder of a use case and target: a link to the newest complete run
ENGINE_DIR = ".engine"  # below outputs/: the store and other internal files
SWEEPS_DIR = "sweeps"  # below outputs/: the records of sweeps; their runs are beside the others


def store_dir(outputs: Path) -> Path:
    """Return the folder of the store."""
    return outputs / ENGINE_DIR


def serving_dir(outputs: Path, usecase: str) -> Path:
    """Return the folder for the token and the stored pictures of the server of a use case."""
    return outputs / ENGINE_DIR / "serving" / usecase


def sweeps_dir(outputs: Path) -> Path:
    """Return the folder with the records of sweeps."""
    return outputs / SWEEPS_DIR


def make_outputs(outputs: Path) -> None:
    """Create the outputs folder if necessary; raise UserError with the reason if that fails."""
    check_name(outputs)
    try:
        _share(outputs)
        store_dir(outputs).mkdir(parents=True, exist_ok=True)
        for path in (store_dir(outputs) / name for name in FOLDERS):
            if (
                os.path.lexists(path) and not path.is_dir()
            ):  # fail before a stage runs, not after it
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        why = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
        raise _obstructed(error, outputs) or UserError(
            f"outputs={outputs}",
            f"it cannot be created: {why}",
            "choose a writable folder: outputs=DIR",
        ) from None


@contextmanager
def unobstructed(outputs: Path) -> Iterator[None]:
    """Turn an OSError into a UserError if something below outputs blocks a path that the engine needs."""
    try:
        yield
    except OSError as error:
        if mistake := _obstructed(error, outputs):
            raise mistake from None
        raise


def _obstructed(error: OSError, outputs: Path) -> UserError | None:
    """Return the error for a blocked path, if that is the cause of the OSError."""
    if error.errno not in _OBSTRUCTED and not isinstance(error, handles.NotAFile):
        return None
    named = [
        Path(os.fsdecode(name))
        for name in (error.filename2, error.filename)
        if isinstance(name, str | bytes)
    ]
    for path in named:
        for ancestor in (*reversed(path.parents), path):
            wants_file = ancestor == path and error.errno == errno.EISDIR
            if (
                outputs in ancestor.parents
                and os.path.lexists(ancestor)
                and (ancestor.is_dir() and not ancestor.is_symlink()) == wants_file
            ):
                kind = "folder" if wants_file else "file"
                return UserError(
                    str(ancestor),
                    f"the engine needs this path, but it is a {kind}",
                    "remove or rename it, and repeat the command",
                )
    return None


def check_name(outputs: Path) -> None:
    """Refuse a path that is not UTF-8, because URIs and JSON files cannot contain it."""
    try:
        str(outputs).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"outputs={outputs}",
            "this path is not valid UTF-8",
            "rename the folder, or choose another: outputs=DIR",
        ) from None


def _share(outputs: Path) -> None:
    """Make new files group-writable if the outputs folder is: the group's members share runs and store.

    Git does the same with core.sharedRepository=group, because the users' umask usually forbids it.
    """
    if outputs.is_dir() and outputs.stat().st_mode & stat.S_IWGRP:
        os.umask(os.umask(0o077) & ~0o070)


def new_run_dir(outputs: Path, usecase: str, target: str, now_s: float) -> Path:
    """Create and return the folder of a new run. Its id is unique, and sorts after all earlier ids.

    The id is the time in milliseconds or, if the clock went back, the time after the newest id. The
    run's start time is in its journal.
    """
    moment_ms = max(int(now_s * 1000), 1 + max(map(_moment_ms, _ids(outputs)), default=-(1 << 62)))
    seconds, milliseconds = divmod(moment_ms, 1000)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
    folder = outputs / usecase / target / f"{stamp}-{milliseconds:03}-{secrets.token_hex(2)}"
    (folder / "artifacts").mkdir(parents=True)
    return folder


def artifact(run_dir: Path, stage: str, output: str) -> Path:
    """Return the path of an output in a run's folder, including its file suffix if it has one."""
    folder = run_dir / "artifacts" / stage
    return next(folder.glob(f"{output}.*"), folder / output)


def package(run_dir: Path) -> Path | None:
    """Return the packed model in a run's folder; None if it has none."""
    return next(iter(sorted(run_dir.glob("artifacts/*/package"))), None)


def _ids(outputs: Path) -> Iterator[re.Match[str]]:
    """Yield the ids of all runs, even of those that have no journal yet."""
    for path in outputs.glob("[!.]*/*/*"):
        if found := _ID.fullmatch(path.name):
            yield found


def _moment_ms(run_id: re.Match[str]) -> int:
    """Return the time in an id; a time long ago if it is not a date."""
    year, month, day, hour, minute, second = (
        int(run_id[1][at : at + 2 + 2 * (at == 0)]) for at in (0, 4, 6, 9, 11, 13)
    )
    try:
        return int(
            datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
        ) * 1000 + int(run_id[2] or 0)
    except ValueError:
        return -(1 << 62)


def runs(outputs: Path) -> list[Path]:
    """Return the folders of all runs, oldest first."""
    return sorted(
        (
            path.parent
            for path in outputs.glob(f"[!.]*/*/*/{journal.FILE_NAME}")
            if not path.parent.is_symlink()
        ),
        key=lambda p: p.name,
    )


def siblings(run_dir: Path) -> list[Path]:
    """Return the folders of the runs of the same use case and target, including this one."""
    folders = (path.parent for path in run_dir.parent.glob(f"*/{journal.FILE_NAME}"))
    return [path for path in folders if not path.is_symlink()]


def newest_run(outputs: Path, usecase: str | None = None, target: str | None = None) -> Path | None:
    """Return the newest run of the use case and target, or of any; None if there is none."""
    matching = [
        path
        for path in runs(outputs)
        if (usecase is None or path.parent.parent.name == usecase)
        and (target is None or path.parent.name == target)
    ]
    return matching[-1] if matching else None


def point_latest(run_dir: Path) -> str:
    """Point `latest` to this run, unless it points to a newer run that finished earlier.

    Return a message if that fails, otherwise "".
    """
    link = run_dir.parent / LATEST
    partial = run_dir.parent / f".latest.{run_dir.name}"
    try:
        if _names_newer(link, run_dir):
            return ""
        partial.symlink_to(run_dir.name)
        partial.replace(link)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        why = "it is a folder" if link.is_dir() and not link.is_symlink() else error.strerror
        fix = (
            "remove it; the next run creates it again"
            if os.path.lexists(link)
            else "use the run's own folder"
        )
        return f"{as_typed(link)} does not point to this run: {why}; {fix}"
    return ""


def _names_newer(link: Path, run_dir: Path) -> bool:
    """Return whether the link points to an existing run that began after this one."""
    named = link.readlink() if link.is_symlink() else Path()
    return (
        len(named.parts) == 1
        and named.name > run_dir.name
        and (run_dir.parent / named / journal.FILE_NAME).is_file()
    )


def newest_first(folders: Iterable[Path]) -> list[Path]:
    """Return the run folders, newest first."""
    return sorted(folders, key=lambda path: path.name, reverse=True)
