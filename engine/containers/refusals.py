"""Interprets errors of a container engine: whether it is unreachable or refuses, and the kind of failure."""

import errno

from engine.errors import UserError
from engine.vocabulary import FailureKind

# Messages of dockerd and runc in lower case, and the kind of failure that each means
_KINDS: tuple[tuple[str, FailureKind], ...] = (
    ("no such image", "image_missing"),
    ("exec format error", "wrong_platform"),
    ("is of another processor", "wrong_platform"),  # our own message
    ("error gathering device information", "no_device"),
    ("no such device", "no_device"),
    ("bind source path does not exist: /dev/", "no_device"),
    ("no space left on device", "disk_full"),
    ("executable file not found", "no_command"),
    ("exec python3 failed", "no_command"),  # from docker-init, which is tini
)


def message_of(error: Exception) -> str:
    """Return the engine's message, or why it cannot be reached, in one line."""
    if isinstance(error, UserError):
        return f"{error.where}: {error.what}"
    text = str(getattr(error, "explanation", None) or error).strip()
    return next(iter(text.splitlines()), type(error).__name__)[:500]


def kind_of(text: str) -> FailureKind:
    """Return the kind of failure that the engine's message means.

    "failed" for an unknown message.
    """
    return next((kind for words, kind in _KINDS if words in text.lower()), "failed")


def is_gone(error: BaseException) -> bool:
    """Return whether a call failed because the engine was unreachable, not because it refused."""
    import requests
    import urllib3
    from docker.errors import APIError

    if isinstance(error, APIError):  # it is also a RequestException
        return False
    return isinstance(
        error,
        requests.RequestException | urllib3.exceptions.HTTPError | ConnectionError | TimeoutError,
    )


def is_full_here(error: BaseException) -> bool:
    """Return whether a call failed because this machine's own disk is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
