"""Ends a process together with its parent, even if the parent is killed."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; end it now if the parent has ended already.

    The kernel's "parent" is the thread that started this process: prctl(2), PR_SET_PDEATHSIG.
    """
    if hasattr(_libc, "prctl"):  # Linux
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
