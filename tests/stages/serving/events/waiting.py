"""Waits for what another thread does."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait(found: Callable[[], Found], timeout_s: float = 5.0) -> Found:
    """Return what the function returns as soon as that is true; fail after the timeout."""
    end = time.monotonic() + timeout_s
    while not (value := found()) and time.monotonic() < end:
        time.sleep(0.005)
    assert value
    return value
