"""Objects below a folder that this machine and a cluster's pods share, with the methods of `Bucket`."""

import glob
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from engine import durable, handles, ordinary
from engine.errors import UserError

WHERE = "kubeflow.data_root"
_CHUNK = 1 << 20
Show = Callable[[int, int], None]  # bytes so far, and in total


class SharedFolder:
    """The files below a folder; an object is written beside its name, synced, and then renamed."""

    def __init__(self, root: str) -> None:
        self._root = Path(root.removeprefix("file://")).absolute()
        if not self._root.is_dir():
            what = "there is no such folder"
            raise UserError(f"{WHERE}={root}", what, "create it, or mount the volume there")

    def uri(self, key: str) -> str:
        """Return the file's path."""
        return f"{self._root}/{key}"

    def size(self, key: str) -> int | None:
        """Return the file's size in bytes; None if there is none."""
        try:
            return (self._root / key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def upload(self, file: Path, key: str, show: Show) -> None:
        """Copy a file into the folder."""
        goal = self._root / key
        partial = goal.with_name(f".{goal.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            _copy(file, partial, show)
            partial.replace(goal)
            durable.fsync_folder(goal.parent)
        except OSError as error:
            what = f"it cannot be written: {error.strerror}"
            fix = "make it writable for you, and check its free space"
            raise UserError(f"{WHERE}={self._root}", what, fix) from None
        finally:
            handles.remove(partial)

    def download(self, key: str, file: Path, show: Show) -> bool:
        """Copy a file out of the folder; return False if there is none."""
        try:
            _copy(self._root / key, file, show)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def read(self, key: str, most_bytes: int) -> bytes | None:
        """Return up to that many bytes of a file; None if there is none."""
        try:
            return ordinary.read(self._root / key, most_bytes)[:most_bytes]
        except (FileNotFoundError, NotADirectoryError):
            return None

    def remove(self, key: str) -> None:
        """Remove a file."""
        handles.remove(self._root / key)

    def find(self, pattern: str) -> list[str]:
        """Return the keys that match a shell pattern, sorted."""
        return sorted(glob.glob(pattern, root_dir=self._root))  # noqa: PTH207 - relative names


def _copy(source: Path, goal: Path, show: Show) -> None:
    """Copy an ordinary file, and sync the copy."""
    with ordinary.opened(source) as data, goal.open("xb") as out:
        total, done = os.fstat(data.fileno()).st_size, 0
        while chunk := data.read(_CHUNK):
            out.write(chunk)
            done += len(chunk)
            show(done, total)
        out.flush()
        os.fsync(out.fileno())
    shutil.copymode(source, goal)
    goal.chmod(goal.stat().st_mode | 0o444)  # pods have other users
