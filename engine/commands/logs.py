"""`logs`: what the stages of a run printed; with follow=true also what they print from now on."""

import sys
import time

from engine import layout
from engine.commands import _planning
from engine.commands.status import _narrowed
from engine.compose import Request
from engine.store import Store

POLL_S = 0.3


def main(request: Request) -> tuple[int, None]:
    """Print the logs of run=ID (the newest), of stage=NAME (all)."""
    run_dir = layout.find_run(request.outputs, request.settings["run"], *_narrowed(request))
    wanted = request.settings["stage"]
    if wanted:
        _planning.stage_named(wanted, layout.state(run_dir).stages)
    store, shown = Store(layout.store_dir(request.outputs)), {}  # type: tuple[Store, dict[str, int]]
    while True:
        at_work = request.settings["follow"] and store.is_at_work(run_dir.name)
        for path in sorted((run_dir / "logs").glob(f"{wanted or '*'}.log"), key=lambda p: p.stat().st_mtime):
            with path.open("rb") as file:
                file.seek(shown.get(path.stem, 0))
                data = file.read()
            if data:
                print(f"--- {path.stem}" if path.stem not in shown else "", end="\n" if path.stem not in shown else "")
                sys.stdout.write(data.decode(errors="replace"))
                sys.stdout.flush()
            shown[path.stem] = shown.get(path.stem, 0) + len(data)
        if not at_work:
            return 0, None
        time.sleep(POLL_S)
