"""Finds where a name is after it was removed: the user's own pictures, and files below outputs/."""

import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from engine import handles, run_files
from engine.forgetting.words import Words

_MOST_BYTES = 1 << 32  # of a file that is searched


def folders(runs: Iterable[Path]) -> list[Path]:
    """Return the folders in the data that the runs read: if these are pictures of people, one of each."""
    found = set()
    for run_dir in runs:
        for asset in run_files.state(run_dir).start.get("assets", ()):
            path = Path(str(asset.get("path") or ""))
            with suppress(OSError):  # it is no folder, or gone
                found |= {entry for entry in path.iterdir() if entry.is_dir()}
    return sorted(found)


def files(outputs: Path, words: Words) -> list[Path]:
    """Return the files below outputs/ whose name or bytes have the name, also within zip archives.

    Any occurrence counts: naming a file too many is better than missing one.
    """
    words = words.anywhere
    with handles.folder(outputs.resolve()) as root:
        entries = [outputs / one.path for one in handles.walk(root) if not one.is_folder]
    return [path for path in entries if path.is_file() and _has(path, outputs, words)]


def _has(path: Path, outputs: Path, words: Words) -> bool:
    if words.are_in(str(path.relative_to(outputs))):
        return True
    if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
        return False
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(
                    words.are_in(one) or words.are_in_bytes(archive.read(one))
                    for one in archive.namelist()
                )
        return words.are_in_bytes(path.read_bytes())
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return False  # unreadable, or an archive with a password
