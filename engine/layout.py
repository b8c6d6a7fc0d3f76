"""Where a run's files stand below outputs/, and the files that users' scripts read. The names here are a contract."""

import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine import journal
from engine.errors import UserError, did_you_mean
from engine.events import RunState, replay
from engine.store import write_whole

ENGINE_DIR = ".engine"  # below outputs/: the store and all that is not for users


def store_dir(outputs: Path) -> Path:
    """Return where the store stands."""
    return outputs / ENGINE_DIR


def make_outputs(outputs: Path) -> None:
    """See to it that the outputs folder is there, or say why it cannot be."""
    check_name(outputs)
    try:
        _share(outputs)
        store_dir(outputs).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"outputs={outputs}", f"it cannot be made: {error.strerror}", "name a folder that can be written: outputs=DIR"
        ) from None


def check_name(outputs: Path) -> None:
    """Refuse a path that is not UTF-8: no URI and no JSON file can name it."""
    try:
        str(outputs).encode()
    except UnicodeEncodeError:
        raise UserError(f"outputs={outputs}", "this path is not valid UTF-8", "rename the folder, or name another: outputs=DIR") from None


def _share(outputs: Path) -> None:
    """Let the group write what is made from now on, if it may write the outputs folder: its members share runs and store.

    What git does for core.sharedRepository=group: their umask may be another one, and mostly is.
    """
    if outputs.is_dir() and outputs.stat().st_mode & stat.S_IWGRP:
        os.umask(os.umask(0o077) & ~0o070)


def new_run_dir(outputs: Path, usecase: str, target: str, now_s: float) -> Path:
    """Make and return the folder of a new run: its id sorts by time, to the millisecond, and is unique."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_s))
    folder = outputs / usecase / target / f"{stamp}-{int(now_s % 1 * 1000):03}-{secrets.token_hex(2)}"
    (folder / "artifacts").mkdir(parents=True)
    return folder


def runs(outputs: Path) -> list[Path]:
    """Return the folders of all runs, oldest first."""
    return sorted(
        (path.parent for path in outputs.glob(f"[!.]*/*/*/{journal.FILE_NAME}") if not path.parent.is_symlink()), key=lambda p: p.name
    )


def find_run(outputs: Path, name: str | None, usecase: str | None = None, target: str | None = None) -> Path:
    """Return the run of this id, or of its beginning; without one the newest of the use case and target."""
    every = runs(outputs)
    known = [
        path for path in every if (usecase is None or path.parent.parent.name == usecase) and (target is None or path.parent.name == target)
    ]
    if name is None:
        if not known:
            raise UserError(f"{outputs}", "there is no run here yet", "start one: python run.py usecase=pose_activity target=rpi4_coral")
        return known[-1]
    matching = [path for path in every if path.name.startswith(name)]
    if len(matching) != 1:
        what = "there is no such run" if not matching else f"{len(matching)} runs begin so"
        raise UserError(f"run={name}", what, did_you_mean(name, [path.name for path in every]))
    return matching[0]


def state(run_dir: Path) -> RunState:
    """Return what the journal of a run says, as far as it can be read; `damage` says where that ends."""
    follower = journal.Follower(run_dir / journal.FILE_NAME)
    found = replay(follower.poll())
    found.damage = follower.damage
    return found


def write_contract(run_dir: Path, state: RunState) -> None:
    """Write run.json and metrics.json."""
    write_whole(run_dir / "run.json", json.dumps(run_json(state), indent=2).encode(), durable=False)
    write_whole(run_dir / "metrics.json", json.dumps(state.metrics, indent=2).encode(), durable=False)


def run_json(state: RunState) -> dict[str, Any]:
    """Return what run.json holds."""
    start = state.start
    stages = {s.name: {"state": s.state, "cached": s.cached, "seconds": s.seconds, "platform": s.platform, "emulated": s.emulated,
                       "taken": s.taken, "fingerprint": s.fingerprint, "attempt": s.attempt, "outputs": s.outputs, "gates": s.gates}
              for s in state.stages.values()}  # fmt: skip
    keys = ("run_id", "usecase", "target", "platform", "machine", "command", "git_commit", "params", "assets")
    return {"v": 1, "status": state.status, "seconds": state.seconds, "started": start.get("time"),
            **{key: start.get(key) for key in keys}, "notes": state.notes, "stages": stages}  # fmt: skip


def point_latest(run_dir: Path) -> None:
    """Make `latest` name this run, unless a newer one was faster."""
    link = run_dir.parent / "latest"
    if link.is_symlink() and link.readlink().name > run_dir.name:
        return
    partial = run_dir.parent / f".latest.{run_dir.name}"
    partial.symlink_to(run_dir.name)
    partial.replace(link)


def newest_first(folders: Iterable[Path]) -> list[Path]:
    """Return the run folders, newest first."""
    return sorted(folders, key=lambda path: path.name, reverse=True)
