"""The server: `python -m stages.serving PACKAGE [key=value ...]`, on a PC or on the device.

It needs Python 3.9, numpy, a TFLite runtime, and OpenCV or PyAV. Exit status: 0 stopped, 1 the pipeline
failed, 2 something is wrong with the request and nothing was started, 130 Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

from engine.stage import StageError
from stages.serving import words
from stages.serving.checked import check
from stages.serving.mistakes import Mistake, Mistakes, visible
from stages.serving.paths import is_there

if TYPE_CHECKING:
    from stages.serving.options import Options
    from stages.serving.pipeline.feed import Pipeline
    from stages.serving.web.server import Server

INVALID, INTERRUPTED = 2, 130
USAGE = "Usage: python -m stages.serving PACKAGE [key=value ...]"
PARENT = "RPI_MLOPS_PARENT"  # the process without which this server ends
PARENT_POLL_S = 1.0


def main(argv: Sequence[str]) -> int:
    """Serve a package; return the exit status."""
    if any(word in ("-h", "--help") for word in argv):
        print("\n".join([USAGE, "", "Options and their defaults:", *words.described()]))
        return 0
    from stages.serving.assembly import serve

    stop = threading.Event()
    came = _signals(stop)
    try:
        package, options = _request(argv)
        request = check(package, options)
        _end_with_parent(stop)
        status = serve(request, stop, _say, _tell)
    except Mistakes as error:
        print(error, file=sys.stderr)
        return INVALID
    except StageError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return INVALID
    return INTERRUPTED if signal.SIGINT in came else status


def _request(argv: Sequence[str]) -> Tuple[Path, Options]:
    """Return the package and the options; raise Mistakes."""
    if not argv or ("=" in argv[0] and not is_there(argv[0])):
        what = "the first word must be the folder of a package"
        raise Mistakes([Mistake("python -m stages.serving", what, USAGE)])
    return Path(argv[0]).absolute(), words.parsed(argv[1:])


def _signals(stop: threading.Event) -> List[int]:
    """Let signals ask this process to end; return the list of those that came."""
    came: List[int] = []

    def take(number: int, frame: Any) -> None:
        came.append(number)
        stop.set()

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, take)
    return came


def _end_with_parent(stop: threading.Event) -> None:
    """Set `stop` when the process that started this one is gone, if it asked for that."""
    parent = int(os.environ.get(PARENT, "0"))

    def follow() -> None:
        while os.getppid() == parent and not stop.wait(PARENT_POLL_S):
            pass
        stop.set()

    if parent:
        threading.Thread(target=follow, name="parent", daemon=True).start()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tell(server: Server, feed: Pipeline) -> None:
    """Print where the page is; the token only to a person, since logs are kept."""
    summary, url = feed.summary, server.url
    watched = f", watching {', '.join(summary['sources'])}" if summary["sources"] else ""
    print(f"serving {visible(summary['name'])} ({summary['task']}){watched}", flush=True)
    if sys.stdout.isatty():
        print(f"open {url}", flush=True)
    else:
        print(f"open {url.split('?')[0]}; the token is in {server.token_file}", flush=True)
    if server.fingerprint:
        print(f"certificate: SHA-256 {server.fingerprint}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
