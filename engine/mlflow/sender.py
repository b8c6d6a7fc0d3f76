"""The process beside a run that carries its journal to MLflow, and ends soon after the run does.

Its settings come through standard input, so that no credential stands in a command line; a second line, or
the end of the input, says that the run's files are complete.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend
from engine.mlflow.bounds import Bounds
from engine.mlflow.client import prepare_environment
from engine.mlflow.delivery import Delivery, NotSent

POLL_S = 0.25
RETRY_S = 12.0  # MLflow away: how often the circuit is tried while the run lasts
FILES_S = 10.0  # how long the last files of an ended run may take
LAST_TRIES = 3
TIMEOUT_S = 3
BOUNDS = Bounds(request_s=6, waiting_s=15)
_STDIN = 0


def main(run_dir: Path) -> int:
    """Follow the run to its end."""
    os.nice(10)  # the stages go first
    request = json.loads(_read_line())
    backend, engine = Backend(**request["backend"]), request["engine"]
    prepare_environment(backend, TIMEOUT_S)
    with cursors.held(run_dir, wait_s=60) as is_mine:
        if not is_mine:
            return 1
        delivery = Delivery(run_dir, backend, BOUNDS)
        delivery.mark(engine=engine)
        is_away = _follow(delivery, engine)
        return 0 if _end(delivery, tries=1 if is_away else LAST_TRIES) else 1


def _follow(delivery: Delivery, engine: str | None) -> bool:
    """Send while the run lasts; true if MLflow was away at the last look."""
    next_try_s = 0.0
    is_closing, deadline_s = False, None
    while True:
        is_orphan = engine is None or not cursors.is_alive(engine)  # before the reading: its last words count
        delivery.read()
        if delivery.is_ended:
            deadline_s = deadline_s or time.monotonic() + FILES_S
        if is_orphan or (deadline_s and (is_closing or time.monotonic() > deadline_s)):
            return next_try_s > 0
        if time.monotonic() >= next_try_s:
            next_try_s = 0.0 if _is_sent(delivery) else time.monotonic() + RETRY_S
        is_closing = _is_told(POLL_S, is_closing)


def _end(delivery: Delivery, tries: int) -> bool:
    """Close the record; where MLflow stays away, the cursor is the mark that `sync` goes by."""
    for left in reversed(range(tries)):
        try:
            delivery.close()
            return True
        except NotSent as error:
            print(f"not sent: {error}", flush=True)  # noqa: T201  the process's own log
            time.sleep(1 if left else 0)
    return False


def _is_sent(delivery: Delivery) -> bool:
    try:
        delivery.send()
    except NotSent as error:
        print(f"not sent: {error}", flush=True)  # noqa: T201
        return False
    return True


def _is_told(wait_s: float, already: bool) -> bool:
    """Wait until the engine says that the files are complete, at most so long."""
    if already:
        time.sleep(wait_s)
        return True
    ready, _, _ = select.select([_STDIN], [], [], wait_s)
    if ready:
        os.read(_STDIN, 1)
    return bool(ready)


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(_STDIN, 1)):  # unbuffered: select must see the rest
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
