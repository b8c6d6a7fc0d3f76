"""A conversation with a packed model, which a stage opens in a process of its own.

The stage runs on this machine, like a job: a folder, and `python -m engine.stage`. It answers through a
socket; Ctrl-C reaches only this process.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.contract import Contract
from engine.environment import allowed
from engine.jobfolder import ENVIRONMENT, log_tail

END_S = 5.0  # from the end of a conversation until its process is killed
Sections = Mapping[str, Sequence[str]]  # heading -> lines


class Ended(Exception):
    """The stage has ended; outside `opened`, the text is the end of its log."""


class Conversation:
    """The open connection to the stage."""

    def __init__(self, connection: socket.socket, folder: Path) -> None:
        self._asked, self._said = connection.makefile("w"), connection.makefile(encoding="utf-8")
        self._folder = folder
        self.ran_on = str(self._next()["ran_on"])

    def say(self, text: str) -> str:
        """Return the model's answer; raise Ended if there is none, as all methods do."""
        return str(self._ask({"say": text})["text"])

    def why(self) -> Sections:
        """Return the reasons for the last answer; empty if there is none yet."""
        return self._sections("why")

    def context(self) -> Sections:
        """Return what the model remembers; empty before the first answer."""
        return self._sections("context")

    def reset(self) -> None:
        """Begin another conversation."""
        self._ask({"reset": True})

    def notes(self) -> list[str]:
        """Return what the stage has noted so far."""
        lines = (self._folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
        events = (json.loads(line) for line in lines)
        return [str(event["text"]) for event in events if event["event"] == "note"]

    def _sections(self, what: str) -> Sections:
        found: Sections = self._ask({what: True})["sections"]
        return found

    def _ask(self, question: Mapping[str, object]) -> Mapping[str, Any]:
        with suppress(OSError):  # a stage that has ended has closed the socket
            self._asked.write(json.dumps(question) + "\n")
            self._asked.flush()
        return self._next()

    def _next(self) -> Mapping[str, Any]:
        line = ""
        with suppress(OSError):
            line = self._said.readline()
        if not line.endswith("\n"):
            raise Ended
        answer: Mapping[str, Any] = json.loads(line)
        return answer


@contextmanager
def opened(
    contract: Contract, package: Path, params: Mapping[str, object], roots: Sequence[Path]
) -> Iterator[Conversation]:
    """Yield a conversation with the package; raise Ended if it cannot be opened."""
    ours, theirs = socket.socketpair()
    with TemporaryDirectory(prefix="chat-") as name, ours:
        folder = Path(name)
        with theirs:
            process = _start(contract, package, params, roots, folder, theirs)
        try:
            yield Conversation(ours, folder)
        except Ended:
            reason = _reason(_end(process))  # it closes the socket before it writes why
            raise Ended("\n".join(filter(None, [log_tail(folder / "log"), reason]))) from None
        finally:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            _end(process)


def _start(
    contract: Contract,
    package: Path,
    params: Mapping[str, object],
    roots: Sequence[Path],
    folder: Path,
    connection: socket.socket,
) -> subprocess.Popen[bytes]:
    job = {
        **contract.invoke,
        "params": {**params, "connection": connection.fileno()},
        "inputs": {"package": str(package)},
        "outputs": {},
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    python_path = os.pathsep.join(map(str, roots))
    return subprocess.Popen(
        [sys.executable, "-m", "engine.stage", str(folder), str(folder / "log")],
        env={**allowed(os.environ), **ENVIRONMENT, "PYTHONPATH": python_path},
        cwd=folder,
        pass_fds=[connection.fileno()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for the process; return its exit status, or None if it had to be killed."""
    try:
        return process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _reason(status: int | None) -> str:
    """Return why a process ended that could not say it."""
    if status is None or status >= 0:
        return ""
    hint = ", perhaps for lack of memory" if status == -signal.SIGKILL else ""
    return f"the model's process was ended by signal {-status}{hint}"
