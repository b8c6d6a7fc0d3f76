"""`clean`: remove old runs, and from the store what no remaining run uses."""

import shutil
import time
from bisect import bisect_left
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from engine import handles, layout, run_files, runs
from engine.fields import Duration, Size
from engine.mlflow import cleanup
from engine.mlflow.cleanup import Freed
from engine.mlflow.queue import is_being_sent
from engine.options import CommandOptions
from engine.request import Request
from engine.run_files import RunSummary
from engine.store import Store
from engine.tools import definition, making
from engine.wording import as_typed, plural

Uses = tuple[set[str], set[str]]  # the fingerprints and the digests that a run uses


class Clean(BaseModel):
    """Which runs `clean` removes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_last: int = Field(
        5,
        ge=1,
        description="runs to keep for each use case and target, whatever their age; the newest "
        "complete run and the newest packaged model are always kept",
    )
    older_than: Duration | None = Field(
        None, description="remove only runs that are older than this, such as 30d"
    )
    max_size: Size | None = Field(
        None,
        description="then remove the oldest runs until the store is smaller than this, such as 10G",
    )
    dry_run: bool = Field(False, description="only show what would be removed")


class Options(CommandOptions):
    """The options of `clean`."""

    clean: Clean = Clean()


def main(request: Request[Options]) -> tuple[int, None]:
    """Remove what the rules of `clean.*` select, and print what was removed."""
    layout.make_outputs(request.outputs)
    rules, store = request.options.clean, Store(layout.store_dir(request.outputs))
    with store.locks.unused() as is_unused:
        states = {path: run_files.summary(path) for path in layout.runs(request.outputs)}
        uses = {path: _uses(state) for path, state in states.items()}
        whole = [path for path, state in states.items() if not state.damage]
        idle = [path for path in whole if not store.locks.is_at_work(path.name)]
        chosen = _chosen(idle, _lasting(states), uses, store, rules)
        doomed = [path for path in chosen if not is_being_sent(request.outputs, path)]
        recorded = _clean_mlflow(request, doomed, rules.dry_run) if is_unused else Freed()
        left = [path for path in doomed if not rules.dry_run and not handles.remove(path)]
        doomed = [path for path in doomed if path not in left]
        freed_bytes = (
            store.keep_only(*_used(uses, doomed), dry_run=rules.dry_run) if is_unused else 0
        )
        outdated = _clean_tools(request, rules.dry_run) if is_unused else []
    for path, state in states.items():
        if state.damage:
            print(f"kept: {as_typed(path)}: {state.damage}; remove the folder manually")
    for path in left:
        print(
            f"kept: {as_typed(path)}: some of it could not be removed, because it is in "
            "use or belongs to another user"
        )
    if not is_unused:
        print("a run is in progress: the store is unchanged; repeat the command later")
    verb = "would be removed" if rules.dry_run else "removed"
    print(
        f"{verb}: {plural(len(doomed), 'run')}, {freed_bytes / 1e6:.1f} MB of the store; kept: "
        f"{plural(len(uses) - len(doomed), 'run')}"
    )
    if recorded.problem:
        print(f"kept: the files of MLflow: {recorded.problem}")
    if recorded.folders:
        size = f"{recorded.size_bytes / 1e6:.1f} MB of MLflow's files"
        print(f"{verb}: {size}, of {plural(recorded.folders, 'record')}")
    for path, size_bytes in outdated:
        print(f"{verb}: {size_bytes / 1e6:.1f} MB of {as_typed(path)}, whose locks have changed")
    if kept_bytes := making.kept_bytes(store.root, [path for path, _ in outdated]):
        where = as_typed(store.root / definition.FOLDER)
        print(f"kept: {kept_bytes / 1e6:.1f} MB of environments; to free them, remove {where}")
    print(f"free on the disk: {shutil.disk_usage(request.outputs).free / 1e9:.1f} GB")
    return 0, None


def _clean_mlflow(request: Request, doomed: Collection[Path], dry_run: bool) -> Freed:
    """Remove MLflow's files of removed runs, including those that the user removed."""
    tracking = request.settings.tracking.model_dump()
    if not tracking["enabled"]:
        return Freed()
    return cleanup.clean(request.outputs, tracking, [path.name for path in doomed], dry_run=dry_run)


def _clean_tools(request: Request, dry_run: bool) -> list[tuple[Path, int]]:
    """Remove environments that no stage can use any longer; return them with their sizes."""
    known = definition.here(request.roots)
    current = [environment for _, environment in known if environment]
    store = layout.store_dir(request.outputs)
    names = [name for name, _ in known]
    return list(making.remove_outdated(store, current, names, dry_run=dry_run))


def _lasting(summaries: Mapping[Path, RunSummary]) -> set[Path]:
    """Return the runs that are always kept, for each use case and target."""
    by_parent: dict[Path, dict[Path, RunSummary]] = {}
    for path, summary in summaries.items():
        by_parent.setdefault(path.parent, {})[path] = summary
    latest = {path for path in summaries if _is_latest(path)}
    return latest.union(*map(runs.lasting, by_parent.values()))


def _chosen(
    idle: list[Path],
    lasting: Collection[Path],
    uses: Mapping[Path, Uses],
    store: Store,
    rules: Clean,
) -> list[Path]:
    """Return the runs to remove: those selected by number and age, then the oldest others until the
    store is small enough.
    """
    doomed = [path for path in _doomed(idle, rules) if path not in lasting]
    if rules.max_size is None:
        return doomed
    most_bytes = rules.max_size
    removable = [path for path in idle if path not in doomed and path not in lasting]

    def fits(more: int) -> bool:
        return (
            store.size_bytes()
            - store.keep_only(*_used(uses, [*doomed, *removable[:more]]), dry_run=True)
            <= most_bytes
        )

    return doomed + removable[: bisect_left(range(len(removable)), True, key=fits)]


def _doomed(idle: list[Path], rules: Clean) -> list[Path]:
    """Return the runs that are old enough and not among the last of their use case and target."""
    by_parent: dict[Path, list[Path]] = {}
    for path in idle:
        by_parent.setdefault(path.parent, []).append(path)
    old = [
        path
        for siblings in by_parent.values()
        for path in layout.newest_first(siblings)[rules.keep_last :]
    ]
    return sorted(
        path
        for path in old
        if rules.older_than is None or time.time() - path.stat().st_mtime > rules.older_than
    )


def _is_latest(run_dir: Path) -> bool:
    link = run_dir.parent / layout.LATEST
    return link.is_symlink() and link.readlink().name == run_dir.name


def _uses(state: RunSummary) -> Uses:
    stages = state.stages.values()
    return {stage.fingerprint for stage in stages if stage.fingerprint}, {
        digest for stage in stages for digest in stage.outputs.values()
    }


def _used(uses: Mapping[Path, Uses], doomed: Collection[Path]) -> Uses:
    """Return what the remaining runs use."""
    kept = [used for path, used in uses.items() if path not in doomed]
    return {one for fingerprints, _ in kept for one in fingerprints}, {
        one for _, digests in kept for one in digests
    }
