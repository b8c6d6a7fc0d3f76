"""Makes a run again: the recorded request, in a private outputs folder, so that nothing is cached.

The original run and the store stay as they are; only fetched assets are shared with them.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine import composed, drive, handles, layout, planning, run_files, run_names, runs
from engine.drawing import downloads
from engine.errors import UserError
from engine.registration import CommandLine
from engine.reproduction import changes
from engine.reproduction.verdict import Verdict, Version, verdicts
from engine.request import Request
from engine.store import Store
from engine.wording import command_line

FOLDER = "reproductions"  # in outputs/.engine
NAME = "reproduction"  # of the new run, in its private folder


@dataclass(frozen=True, slots=True)
class Again:
    """A run that was made again."""

    original: Path
    run_dir: Path
    status: str
    changes: list[str]  # since the original run
    verdicts: list[Verdict]


@contextmanager
def made(
    request: Request, original: Path, tell: Callable[[str], None], *, is_kept: bool = False
) -> Iterator[Again]:
    """Make the run again, and yield the result; its files are there until the context ends.

    tell: called with each line about what has changed since, before anything runs. is_kept: whether the
    files stay there, until the run is made again. Raise UserError if the run recorded too little, has not
    ended, or is being made again.
    """
    store = Store(layout.store_dir(request.outputs))
    recorded = _recorded(request, original)
    before = _version(original, store)
    if before.state.status == "running":
        what, fix = "the run has not ended", "wait until it has ended, or choose another run"
        raise UserError(f"run={original.name}", what, fix)
    folder = layout.store_dir(request.outputs) / FOLDER / original.name
    with store.locks.in_use(), store.locks.alone(f"reproduce-{original.name}") as is_ours:
        if not is_ours:
            what = "another process is reproducing this run"
            raise UserError(f"run={original.name}", what, "wait until it has ended")
        try:
            private = _private(recorded, request, folder, store)
            yield _made(private, before, folder, tell, is_kept)
        finally:
            if not is_kept:
                handles.remove(folder)


def _made(
    request: Request, before: Version, folder: Path, tell: Callable[[str], None], is_kept: bool
) -> Again:
    changed = _changed(request, before)
    for line in changed:
        tell(line)
    outcome = drive.drive(request, sys.stderr, downloads.say, is_temporary=not is_kept)
    if outcome.status == "interrupted":
        raise KeyboardInterrupt
    after = _version(outcome.run_dir, Store(layout.store_dir(folder)))
    found = verdicts(before, after)
    return Again(before.run_dir, outcome.run_dir, outcome.status, changed, found)


def _changed(request: Request, before: Version) -> list[str]:
    planned = planning.plan(request)
    planned.executors.close()
    return list(changes.since(before.state, before.parts, planned.plan))


def _recorded(request: Request, run_dir: Path) -> Request:
    """Return the request that the run recorded."""
    line = CommandLine(dirs=request.config_dirs, program=request.program)
    found = composed.recorded(run_dir, line)
    if found is None:
        what = f"{run_names.label(run_dir)} has no readable {composed.FILE_NAME}"
        fix = f"repeat its command instead: {command_line(run_files.state(run_dir))}"
        raise UserError(f"run={run_dir.name}", what, fix)
    return found


def _private(recorded: Request, request: Request, folder: Path, store: Store) -> Request:
    """Return the recorded request for a private, empty outputs folder with the assets of the store."""
    handles.remove(folder)
    (folder / layout.ENGINE_DIR).mkdir(parents=True)
    (store.root / "assets").mkdir(exist_ok=True)
    (folder / layout.ENGINE_DIR / "assets").symlink_to((store.root / "assets").absolute())
    changed: dict[str, object] = {
        "outputs": str(folder),
        "tracking": recorded.settings.tracking.model_copy(update={"enabled": False}),
        "sinks": ("console",),
        "run_name": NAME,  # not the original's, which a name from the command would be
        "force": (),
        "mirror": request.settings.mirror or recorded.settings.mirror,
    }
    if any(word.startswith("executor=") for word in request.command):
        changed["executor"] = request.settings.executor
    settings = recorded.settings.model_copy(update=changed)
    return replace(recorded, settings=settings)


def _version(run_dir: Path, store: Store) -> Version:
    state = run_files.state(run_dir)
    return Version(run_dir, state, runs.parts(state, store))
