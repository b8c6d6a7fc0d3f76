"""Removes what was found of a person.

The folders of runs and MLflow come first, the store last: as long as it has the artifacts, an interrupted
removal can be repeated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import handles, run_files
from engine.durable import write_whole
from engine.errors import UserError
from engine.events import RunState
from engine.forgetting import run_texts, sweep_texts
from engine.forgetting.evidence import Evidence
from engine.forgetting.lineage import Derived
from engine.forgetting.words import Words
from engine.mlflow import cursor as cursors
from engine.mlflow import forgetting as mlflow
from engine.report import card
from engine.sinks import report
from engine.store import Store
from engine.wording import as_typed, plural

SENDER_S = 15.0  # how long to wait for MLflow's sender of a run
_UNKNOWN = ("requests", "corrupt")  # caches, and damaged artifacts, whose content nobody knows
Rewritten = Mapping[
    str, tuple[str, Path]
]  # old digest -> new digest, and a folder called `package`


@dataclass(frozen=True, slots=True)
class Found:
    """What to remove of a use case, and the packages without the person: old digest -> new folder."""

    usecase: str
    there: Evidence
    doomed: Derived
    packages: Mapping[str, Path]


def remove(
    found: Found, words: Words, store: Store, work: Path, database: Path | None
) -> Iterator[str]:
    """Remove everything, and yield lines for the user.

    work: a private folder; database: MLflow's, if it is below the outputs folder

    Raise UserError if a run is still being sent to MLflow.
    """
    rewritten = {old: _stored(path, store, work) for old, path in found.packages.items()}
    changed = {
        run_dir.name: (run_dir, run_files.state(run_dir))
        for run_dir in found.there.runs
        if _clean_run(run_dir, found, rewritten, words, store)
    }
    for sweep in sweep_texts.of_usecase(store.root.parent, found.usecase):
        if sweep_texts.clean(sweep, words):
            yield f"removed the name from the record of sweep {sweep.id}"
    if database:
        change = mlflow.Change(
            doomed=found.doomed.digests,
            rewritten=rewritten,
            has_name=words.are_in_bytes,
            without_name=words.replaced,
            without_pictures=words.of_pictures.replaced,
        )
        count = mlflow.clean(database, found.usecase, change, changed)
        yield f"changed in MLflow: {plural(count, 'record')}, tagged {mlflow.TAG}"
    for folder in _UNKNOWN:
        for path in (store.root / folder).glob("*"):
            handles.remove(path)
    for digest in _clean_store(store, found):
        what = "it belongs to another user; remove it manually"
        yield f"kept: {as_typed(store.path(digest))}: {what}"


def _stored(package: Path, store: Store, work: Path) -> tuple[str, Path]:
    """Commit a package; return its digest, and a folder with it that is called as in a run."""
    digest = store.add("rewritten", package)
    path = work / digest.replace(":", "-") / "package"
    store.materialise(digest, path)
    return digest, path


def _clean_run(
    run_dir: Path, found: Found, rewritten: Rewritten, words: Words, store: Store
) -> bool:
    """Remove or replace the artifacts in a run's folder, and the name in its files."""
    with cursors.held(run_dir, SENDER_S) as is_mine:
        if not is_mine:
            what = "MLflow's sender is still recording this run"
            raise UserError(as_typed(run_dir), what, "repeat the command when it has ended")
        mine = [one for one in found.there.outputs if one.folder == run_dir]
        lost = [one for one in mine if one.digest in found.doomed.digests]
        digests = {old: new for old, (new, _) in rewritten.items()}
        for one in lost:
            _replace(one.path, digests.get(one.digest), store)
        return run_texts.clean(run_dir, words, digests, _render, bool(lost)) or bool(lost)


def _replace(path: Path, digest: str | None, store: Store) -> None:
    """Remove an output from a run's folder, and put the artifact with this digest there, if any."""
    partial = path.with_name(f".{path.name}.part")
    handles.remove(partial)
    if digest:
        store.materialise(digest, partial)
    handles.remove(path)
    if digest:
        partial.rename(path)


def _render(state: RunState, run_dir: Path) -> None:
    """Write the report and the model card again."""
    text = card.card(run_dir, state)
    if text is None:
        handles.remove(run_dir / card.FILE)
    else:
        write_whole(run_dir / card.FILE, text.encode(), durable=False)
    report.write(state, run_dir)


def _clean_store(store: Store, found: Found) -> list[str]:
    """Remove the artifacts, those computed from others first: what is left still leads to the rest.

    Return the digests of those that could not be removed.
    """
    doomed, left = set(found.doomed.digests), list[str]()
    for record in reversed(found.doomed.records):
        own = [digest for digest in record.outputs.values() if digest in doomed]
        left += store.remove(own, record.fingerprint)
    left += store.remove(sorted(doomed))
    for summary in found.there.runs.values():
        for stage in summary.stages.values():
            if stage.fingerprint and stage.state != "finished":
                store.drop_checkpoint(stage.fingerprint)
    return list(dict.fromkeys(left))
