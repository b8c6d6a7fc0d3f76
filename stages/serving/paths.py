"""Paths that a user wrote: too long, in a folder that is closed, or below a home that is not there."""

from __future__ import annotations

from pathlib import Path


def is_there(text: str) -> bool:
    """Return whether there is something that this program may look at."""
    try:
        return Path(text).exists()
    except OSError:
        return False


def is_file(text: str) -> bool:
    """Return whether it is the path of a file."""
    return is_there(text) and Path(text).is_file()


def is_folder(text: str) -> bool:
    """Return whether it is the path of a folder."""
    return bool(text) and is_there(text) and Path(text).is_dir()


def obstacle(text: str) -> str:
    """Return why a path cannot be looked at, such as a folder of another user; empty: nothing hinders."""
    try:
        Path(text).stat()
    except PermissionError as error:
        return str(error.strerror)
    except (OSError, ValueError):
        pass
    return ""


def absolute(text: str) -> Path:
    """Return the path from the root; `~` is the home folder, if it is known."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        return Path(text).absolute()
