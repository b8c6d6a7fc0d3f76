"""Lets threads use a model in turn, and counts how long each of them waited for it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def turn(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock; the wait for it is added to what this thread has waited."""
    if not lock.acquire(blocking=False):
        start_s = time.perf_counter()
        lock.acquire()
        thread = threading.current_thread()
        waited = waited_s() + time.perf_counter() - start_s
        thread.__dict__["waited_s"] = waited  # a thread's own data, which ends with it
    try:
        yield
    finally:
        lock.release()


def waited_s() -> float:
    """Return how long this thread has waited for models since it started."""
    return float(threading.current_thread().__dict__.get("waited_s", 0.0))
