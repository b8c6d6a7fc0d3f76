"""`logs`: show the output of the stages of a run; follow=true follows it."""

import codecs
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic import Field

from engine import handles, layout, run_files, run_names, runs
from engine.options import CommandOptions
from engine.request import Request
from engine.store import Store

POLL_S = 0.3
CHUNK_BYTES = 1 << 20


class Options(CommandOptions):
    """The options of `logs`."""

    run: str | None = Field(
        None,
        description="a run's name, its id or the beginning of it, or latest: the newest complete one; "
        "null: the newest",
    )
    stage: str | None = Field(None, description="one stage only")
    follow: bool = Field(False, description="follow the output until the run ends")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the logs of run=ID and stage=NAME; by default, of the newest run and all stages."""
    run_dir = runs.chosen(request, request.options.run)
    if request.options.run:
        print(f"run {run_names.label(run_dir)}", file=sys.stderr)
    stages = run_files.summary(run_dir).stages
    wanted = runs.stages_named(request.options.stage, stages)
    cached = {name: stages[name].fingerprint for name in wanted if stages[name].cached}
    for path, note in _of_cached(request.outputs, cached):
        print(f"--- {note}")
        _show(path, 0)
    store = Store(layout.store_dir(request.outputs))
    shown: dict[Path, int] = {}
    while True:
        at_work = request.options.follow and store.locks.is_at_work(run_dir.name)
        logs = [path for path in (run_dir / "logs").glob("*.log") if path.stem in wanted]
        for path in sorted(logs, key=lambda p: p.stat().st_mtime):
            if path not in shown and path.stat().st_size:
                print(f"--- {path.stem}")
            shown[path] = _show(path, shown.get(path, 0))
        if not at_work:
            return 0, None
        time.sleep(POLL_S)


def _of_cached(outputs: Path, cached: Mapping[str, str | None]) -> Iterator[tuple[Path, str]]:
    """Yield the logs of the stages that the run took from the store, from the runs that made them."""
    makers = runs.makers(outputs, cached)
    for name, made_in in ((name, makers[name]) for name in cached if name in makers):
        path = made_in / "logs" / f"{name}.log"
        if path.is_file() and path.stat().st_size:
            yield path, f"{name} (cached; from run {made_in.name})"


def _show(path: Path, start: int) -> int:
    """Print the file from this byte on, and return where it ends now."""
    with open(handles.open_file(path), "rb") as file:
        file.seek(start)
        words = codecs.getincrementaldecoder("utf-8")("replace")
        for data in iter(partial(file.read, CHUNK_BYTES), b""):
            sys.stdout.write(words.decode(data))
            start += len(data)
    sys.stdout.flush()
    return start
