"""`clean`: remove old runs, and from the store what no run that stays uses."""

import shutil
import time
from pathlib import Path

from engine import layout
from engine.compose import Request
from engine.settings import Clean
from engine.store import Store, remove_tree
from engine.wording import plural


def main(request: Request) -> tuple[int, None]:
    """Remove by the rules of `clean.*`, and say what went."""
    rules, store = request.settings.clean, Store(layout.store_dir(request.outputs))
    with store.unused() as is_unused:
        doomed, kept = _chosen(request.outputs, store, rules)
        for path in () if rules.dry_run else doomed:
            remove_tree(path)
        freed_bytes = store.keep_only(*_used(kept), dry_run=rules.dry_run) if is_unused else 0
    if not is_unused:
        print("a run is at work: the store is left as it is, give the command again later")
    verb = "would go" if rules.dry_run else "removed"
    print(f"{verb}: {plural(len(doomed), 'run')}, {freed_bytes / 1e6:.1f} MB of the store; kept: {plural(len(kept), 'run')}")
    print(f"free on the disk: {shutil.disk_usage(request.outputs).free / 1e9:.1f} GB")
    return 0, None


def _chosen(outputs: Path, store: Store, rules: Clean) -> tuple[list[Path], list[Path]]:
    """Return the runs that go and those that stay: by number and age, then by the store's size, oldest first."""
    runs = layout.runs(outputs)
    idle = [path for path in runs if not store.is_at_work(path.name)]
    doomed = _doomed(idle, rules)
    limit = rules.max_size
    removable = [path for path in idle if path not in doomed and not _is_latest(path)]
    while limit is not None and removable and _size_after(store, runs, doomed) > limit:
        doomed.append(removable.pop(0))
    return doomed, [path for path in runs if path not in doomed]


def _size_after(store: Store, runs: list[Path], doomed: list[Path]) -> int:
    kept = [path for path in runs if path not in doomed]
    return store.size_bytes() - store.keep_only(*_used(kept), dry_run=True)


def _doomed(runs: list[Path], rules: Clean) -> list[Path]:
    """Return the runs that are old enough and not among the last of their use case and target."""
    by_place: dict[Path, list[Path]] = {}
    for path in runs:
        by_place.setdefault(path.parent, []).append(path)
    old = [path for place in by_place.values() for path in layout.newest_first(place)[rules.keep_last :] if not _is_latest(path)]
    return sorted(path for path in old if rules.older_than is None or time.time() - path.stat().st_mtime > rules.older_than)


def _is_latest(run_dir: Path) -> bool:
    link = run_dir.parent / "latest"
    return link.is_symlink() and link.readlink().name == run_dir.name


def _used(runs: list[Path]) -> tuple[set[str], set[str]]:
    """Return the fingerprints and the digests that these runs use."""
    stages = [stage for run_dir in runs for stage in layout.state(run_dir).stages.values()]
    return {stage.fingerprint for stage in stages if stage.fingerprint}, {digest for stage in stages for digest in stage.outputs.values()}
