"""`logs`: what the stages of a run printed; with follow=true also what they print from now on."""

import codecs
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from engine import handles, layout, runs
from engine.request import Request
from engine.store import Store

POLL_S = 0.3
CHUNK_BYTES = 1 << 20


def main(request: Request) -> tuple[int, None]:
    """Print the logs of run=ID (the newest), of stage=NAME (all)."""
    run_dir, wanted = runs.chosen(request), request.settings.stage
    if wanted:
        runs.stage_named(wanted, layout.state(run_dir).stages)
    for path, note in _of_cached(request.outputs, run_dir, wanted):
        print(f"--- {note}")
        _show(path, 0)
    store = Store(layout.store_dir(request.outputs))
    shown: dict[Path, int] = {}
    while True:
        at_work = request.settings.follow and store.is_at_work(run_dir.name)
        for path in sorted((run_dir / "logs").glob(f"{wanted or '*'}.log"), key=lambda p: p.stat().st_mtime):
            if path not in shown and path.stat().st_size:
                print(f"--- {path.stem}")
            shown[path] = _show(path, shown.get(path, 0))
        if not at_work:
            return 0, None
        time.sleep(POLL_S)


def _of_cached(outputs: Path, run_dir: Path, wanted: str | None) -> Iterator[tuple[Path, str]]:
    """Yield the logs of the stages that the run took from the store, from the runs that made them."""
    cached = [
        stage
        for stage in layout.state(run_dir).stages.values()
        if stage.cached and wanted in (None, stage.name)
    ]
    makers = runs.makers(outputs, cached)
    for name, made_in in ((stage.name, makers[stage.name]) for stage in cached if stage.name in makers):
        path = made_in / "logs" / f"{name}.log"
        if path.is_file() and path.stat().st_size:
            yield path, f"{name} (from the store; printed in run {made_in.name})"


def _show(path: Path, start: int) -> int:
    """Print the file from there on, and return where it ends now."""
    with open(handles.open_file(path), "rb") as file:
        file.seek(start)
        words = codecs.getincrementaldecoder("utf-8")("replace")
        for data in iter(partial(file.read, CHUNK_BYTES), b""):
            sys.stdout.write(words.decode(data))
            start += len(data)
    sys.stdout.flush()
    return start
