"""Runs the checks of `doctor` in parallel, each with a time limit."""

import threading
import time
from collections.abc import Callable, Mapping

from engine.finding import Finding

Check = Callable[[], list[Finding]]


def gather(checks: Mapping[str, Check], within_s: float) -> list[Finding]:
    """Return the findings of the checks, in order.

    The checks run in parallel, and a late one is reported as such.
    """
    end = time.monotonic() + within_s
    looks = [_Look(name, check) for name, check in checks.items()]
    return [finding for look in looks for finding in look.result(end, within_s)]


class _Look:
    """One running check. The program does not wait for the thread of a late check, not even at exit."""

    def __init__(self, name: str, check: Check) -> None:
        self._name, self._check = name, check
        self._found: list[Finding] | None = None
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def result(self, end: float, within_s: float) -> list[Finding]:
        """Return its findings if it ends in time."""
        self._thread.join(max(0.0, end - time.monotonic()))
        if self._bug:
            raise self._bug
        if self._found is None:
            return [
                Finding(
                    False,
                    f"{self._name}: no answer within {within_s:g} s",
                    "check whether it is overloaded or unreachable, and try again",
                )
            ]
        return self._found

    def _work(self) -> None:
        try:
            self._found = self._check()
        except OSError as error:
            self._found = [
                Finding(False, f"{self._name}: cannot be checked ({error.strerror or error})")
            ]
        except Exception as error:
            self._bug = error
