"""Finds the processes of a fork server in /proc: its tree, and processes that left the tree, by a mark
in their environment.

The mark names the engine, the server and the store. A process keeps it in any session and under any
parent.
"""

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

MARK = "RPI_MLOPS_SERVER"  # the environment variable that holds the mark
# how long to wait for killed processes; one that is blocked in a system call may take longer
END_S = 2.0


def new_mark(store: Path) -> str:
    """Return the mark of a new server of this engine: `NAMESPACE.PID.START.SERVER STORE`."""
    pid = os.getpid()
    return f"{_namespace()}.{pid}.{_start(pid)}.{os.urandom(6).hex()} {store}"


def kill_tree(pid: int, number: int, *, itself: bool = True) -> None:
    """Send the signal to a process and all its descendants, in any session."""
    tree = [pid]
    for one in tree:
        tree.extend(children(one))  # grows during the loop
    for one in tree if itself else tree[1:]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, number)


def children(pid: int) -> list[int]:
    """Return a process's children, as the kernel lists them for each of its threads (proc(5),
    CONFIG_PROC_CHILDREN).
    """
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def kill_marked(mark: str, jobs: Collection[int] = (), *, within_s: float = END_S) -> None:
    """Kill the trees of these jobs and every process with the mark or in a job's session, until a complete
    scan finds none or the time is up.

    A scan is complete if no process ended meanwhile: such a process may have forked another unnoticed.
    """
    for pid in jobs:
        kill_tree(pid, signal.SIGKILL)
    deadline_s = time.monotonic() + within_s
    known: set[int] = set()  # the ended processes of the previous scan
    while time.monotonic() < deadline_s:
        found, ended = _look(mark, jobs)
        if not found and ended <= known:
            return
        for pid in found:
            kill_tree(pid, signal.SIGKILL)
        known = ended
        time.sleep(0.01)


def kill_abandoned(store: Path) -> None:
    """Kill the processes that ended engines of this store have left."""
    for mark in {_mark_of(pid) for pid in _others()} - {""}:
        if _is_abandoned(mark, store):
            kill_marked(mark)


def _is_abandoned(mark: str, store: Path) -> bool:
    """Return whether the mark belongs to this store and its engine has ended.

    False for marks of other PID namespaces, which cannot be checked.
    """
    engine, _, root = mark.partition(" ")
    namespace, pid, start, _ = engine.split(".") if engine.count(".") == 3 else ("", "", "", "")
    if root != str(store) or namespace != str(_namespace()) or not pid.isdecimal():
        return False
    return _start(int(pid)) != start


def _look(mark: str, jobs: Collection[int]) -> tuple[list[int], set[int]]:
    """Return the living processes with the mark or in a job's session, and the listed processes that have
    ended.
    """
    found, ended = [], set()
    for pid in _others():
        if (mark and _mark_of(pid) == mark) or _session(pid) in jobs:
            found.append(pid)
        elif not _start(pid):
            ended.add(pid)
    return found, ended


def _others() -> list[int]:
    """Return all processes except this one."""
    return [
        int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()
    ]


def _mark_of(pid: int) -> str:
    """Return the mark of a process; empty if it has none, has ended or belongs to another user."""
    prefix = f"{MARK}=".encode()
    words = _environment(pid).split(b"\0")
    return next(
        (os.fsdecode(word.removeprefix(prefix)) for word in words if word.startswith(prefix)), ""
    )


def _environment(pid: int) -> bytes:
    """Return the content of proc(5)'s environ; wait for a process that is in exec and has neither arguments
    nor an environment yet.
    """
    deadline_s = time.monotonic() + END_S
    with suppress(OSError):  # it has ended, belongs to another user, or is a kernel thread
        while not (words := Path(f"/proc/{pid}/environ").read_bytes()):
            Path(f"/proc/{pid}/exe").readlink()
            if Path(f"/proc/{pid}/cmdline").read_bytes() or time.monotonic() > deadline_s:
                return b""
            time.sleep(0.001)
        return words
    return b""


def _session(pid: int) -> int:
    """Return the session of a living process, otherwise 0."""
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] not in (b"Z", b"X") else 0


def _start(pid: int) -> str:
    """Return when a living process started, in ticks since boot; PID and start time identify a process."""
    fields = _stat(pid)
    return fields[19].decode() if fields and fields[0] not in (b"Z", b"X") else ""


def _stat(pid: int) -> list[bytes]:
    """Return the fields of proc(5)'s stat after the name, which may contain any characters."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino
