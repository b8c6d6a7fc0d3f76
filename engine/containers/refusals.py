"""Interprets the errors of a container engine: unreachable or refusing, and the kind of failure."""

import errno

from engine.errors import UserError
from engine.vocabulary import FailureKind

# What dockerd and runc write, in lower case, and the kind of failure that it is
_KINDS: tuple[tuple[str, FailureKind], ...] = (
    ("no such image", "image_missing"),
    ("exec format error", "wrong_platform"),
    ("is of another processor", "wrong_platform"),  # our own sentence
    ("error gathering device information", "no_device"),
    ("no such device", "no_device"),
    ("bind source path does not exist: /dev/", "no_device"),
    ("no space left on device", "disk_full"),
    ("executable file not found", "no_command"),
    ("exec python3 failed", "no_command"),  # of docker-init, which is tini
)


def said(error: Exception) -> str:
    """Return what the engine wrote, or what is in the way to it, in a line."""
    if isinstance(error, UserError):
        return f"{error.where}: {error.what}"
    text = str(getattr(error, "explanation", None) or error).strip()
    return next(iter(text.splitlines()), type(error).__name__)[:500]


def kind_of(text: str) -> FailureKind:
    """Return the kind of failure that the engine's words mean.

    "failed" where they are none of the known ones.
    """
    return next((kind for words, kind in _KINDS if words in text.lower()), "failed")


def is_gone(error: BaseException) -> bool:
    """True if a call ended because the engine or the way to it is away, not because it refused."""
    import requests
    import urllib3
    from docker.errors import APIError

    if isinstance(error, APIError):  # by its ancestors it is a RequestException too
        return False
    return isinstance(
        error,
        requests.RequestException | urllib3.exceptions.HTTPError | ConnectionError | TimeoutError,
    )


def is_full_here(error: BaseException) -> bool:
    """True if a call ended because this machine's own disk is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
